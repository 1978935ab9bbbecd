//! Which page runs in which lane, and when.
//!
//! A chain is serial: a block needs the one before. Chains of different pages are independent, so a set of lanes runs
//! as many as the processor can keep in flight, one block of each per step, and a lane that has finished its page takes
//! the next one.
//!
//! **The trap.** Pages are aligned to their size, so lanes that stand at the same offset of different pages compete for
//! one set of the first-level cache (4 KiB apart is enough), which has 8 to 12 places for up to 32 lanes: that costs two
//! thirds of the speed. So the lanes start a few at a time, [`STAGGER_STEPS`] apart, and because a finished lane goes on
//! with the next page they stay apart to the end of the batch. [`TOGETHER`] may share a set, and because they also end
//! together, all lanes are interrupted for a new page less often.
//!
//! What the rule adds to a page's chain is a chain of its own, of one or two blocks. Pages that have come to that point
//! are put aside until there is one for every lane, because short chains between long ones would interrupt all lanes.
//! They are copied next to each other for it, or the trap would close after all.
//! Lanes without work run over a small idle buffer, which costs nothing that a shorter loop would save.

use core::ptr;

use zeroize::{Zeroize, Zeroizing};

use super::kernels::Chains;
use super::schedule::{ROUND_KEYS_MAX, Schedule};
use crate::pages::Rule;

/// Lanes that start together: with an input and an output each, as many addresses as the smallest cache has places.
const TOGETHER: usize = 4;

/// Steps of 16 bytes by which lanes start after those before. It is more than the distance between what a lane reads
/// ahead and what it writes behind: where one lane read what has the same place in a page as what another has just
/// written, the processor would take the one for the other and wait. Lanes further apart need more steps until all run.
const STAGGER_STEPS: usize = 12;

/// Pages shorter than this many steps start together: they end before they could collide, and waiting would cost more.
const STAGGER_PAGE_STEPS: usize = 128;

/// Length of the idle buffer in steps; lanes without work stop for new instructions this often.
const IDLE_STEPS: usize = 256;

/// More than the loops take of the stack.
const STACK_BYTES: usize = 8192;

/// A page to encrypt.
#[derive(Clone, Copy)]
pub(super) struct Chain<'k> {
    pub(super) schedule: &'k Schedule,
    pub(super) iv: u128,
    pub(super) src: *const u8,
    pub(super) dst: *mut u8,
    /// Bytes.
    pub(super) len: usize,
}

/// All that is moved while a batch runs. Copied keys are cleared on drop.
struct Lanes<'k, const L: usize> {
    chains: Chains<L>,
    /// The step at which each lane is through with its page, or is to be looked at again.
    ends: [usize; L],
    /// The page whose whole blocks each lane encrypts; nothing where it waits.
    pages: [Option<Chain<'k>>; L],
    /// Copy each page's round keys into its lane?
    own_keys: bool,
    /// Where lanes without work run: [`IDLE_STEPS`] blocks whose values do not matter.
    idle: *mut u8,
}

/// Pages whose whole blocks are encrypted, and that the rule adds something to.
struct Ended<'k, const L: usize> {
    rule: Rule,
    pages: [Option<Chain<'k>>; L],
    count: usize,
    lanes: Lanes<'k, L>,
    /// What the lanes work on: the pages' last blocks, or masks for them.
    blocks: Zeroizing<[[u128; 2]; L]>,
}

/// Runs every chain. `advance(chains, from, to)` takes all lanes through the steps from `from` to `to`.
///
/// # Safety
/// The chains' memory is valid, in place or without overlap, and no chain's output touches another's memory. The rule
/// allows their lengths. All have the same number of rounds; with `shared`, all have the same schedule.
pub(super) unsafe fn run<'k, const L: usize>(
    mut pages: impl Iterator<Item = Chain<'k>>,
    rule: Rule,
    shared: bool,
    mut advance: impl FnMut(&mut Chains<L>, usize, usize),
) {
    const { assert!(L / TOGETHER * STAGGER_STEPS <= IDLE_STEPS, "the last lane waits inside the idle buffer") };
    let mut idle = [0; 16 * IDLE_STEPS];
    let mut lanes = Lanes::<L>::new(shared, &mut idle);
    let mut ended = Ended {
        rule,
        pages: [None; L],
        count: 0,
        lanes: Lanes::new(shared, &mut idle),
        blocks: Zeroizing::new([[0; 2]; L]),
    };
    let mut now = 0;
    let mut busy = 0;
    let mut next = pages.next();
    let stagger = match &next {
        Some(page) if page.len / 16 >= STAGGER_PAGE_STEPS => STAGGER_STEPS,
        _ => 0,
    };
    for lane in 0..L {
        lanes.wait(lane, now, now + lane / TOGETHER * stagger);
    }
    loop {
        let mut until = usize::MAX;
        for lane in 0..L {
            if lanes.ends[lane] == now {
                let mut done = lanes.pages[lane].take();
                busy -= usize::from(done.is_some());
                loop {
                    if let Some(page) = done.filter(|page| page.has_extra(rule)) {
                        ended.pages[ended.count] = Some(page);
                        ended.count += 1;
                        if ended.count == L {
                            // SAFETY: passed on.
                            unsafe { ended.complete(&mut advance) };
                        }
                    }
                    let Some(page) = next.take() else {
                        lanes.wait(lane, now, (now / IDLE_STEPS + 1) * IDLE_STEPS);
                        break;
                    };
                    next = pages.next();
                    // SAFETY: passed on.
                    if unsafe { lanes.start(lane, now, page) } {
                        busy += 1;
                        break;
                    }
                    // A page without a whole block has come to its end already.
                    done = Some(page);
                }
            }
            until = until.min(lanes.ends[lane]);
        }
        if busy == 0 && next.is_none() {
            break;
        }
        advance(&mut lanes.chains, now, until);
        now = until;
    }
    // SAFETY: passed on.
    unsafe { ended.complete(&mut advance) };
    clear_stack();
}

/// Clears what `advance` has left on the stack: where the processor has registers for all round keys, the compiler puts
/// some of them there all the same. Called from where `advance` was called, so that it reaches the same bytes.
#[inline(never)]
fn clear_stack() {
    let mut below = [0_u128; STACK_BYTES / 16];
    below.zeroize();
}

impl Chain<'_> {
    /// Whether the rule adds something to the page's chain.
    fn has_extra(&self, rule: Rule) -> bool {
        !self.len.is_multiple_of(16) && rule != Rule::WholeBlocks
    }
}

impl<'k, const L: usize> Lanes<'k, L> {
    fn new(shared: bool, idle: &mut [u8; 16 * IDLE_STEPS]) -> Self {
        let idle = idle.as_mut_ptr();
        Self {
            chains: Chains { keys: [[0; L]; ROUND_KEYS_MAX], before: [0; L], src: [idle; L], dst: [idle; L] },
            ends: [0; L],
            pages: [None; L],
            own_keys: !shared,
            idle,
        }
    }

    /// Lets a lane run from `now` on from `src` to `dst`.
    fn direct(&mut self, lane: usize, now: usize, src: *const u8, dst: *mut u8) {
        self.chains.src[lane] = src.wrapping_sub(16 * now);
        self.chains.dst[lane] = dst.wrapping_sub(16 * now);
    }

    /// Lets a lane wait until `end`, no more than [`IDLE_STEPS`] away.
    fn wait(&mut self, lane: usize, now: usize, end: usize) {
        self.direct(lane, now, self.idle, self.idle);
        self.ends[lane] = end;
    }

    /// Gives a lane a page's key and initialisation vector.
    fn set_up(&mut self, lane: usize, page: &Chain<'k>) {
        if self.own_keys {
            for (keys, key) in self.chains.keys.iter_mut().zip(&page.schedule.keys) {
                keys[lane] = *key;
            }
        }
        self.chains.before[lane] = page.iv;
    }

    /// Puts a page into a lane. False if it has no whole block.
    ///
    /// # Safety
    /// That of [`run`].
    unsafe fn start(&mut self, lane: usize, now: usize, page: Chain<'k>) -> bool {
        let (blocks, rest) = (page.len / 16, page.len % 16);
        if rest > 0 && page.src != page.dst.cast_const() {
            // SAFETY: the last bytes of the page, at two places that do not overlap.
            unsafe { ptr::copy_nonoverlapping(page.src.add(16 * blocks), page.dst.add(16 * blocks), rest) };
        }
        if blocks == 0 {
            return false;
        }
        self.set_up(lane, &page);
        self.direct(lane, now, page.src, page.dst);
        self.ends[lane] = now + blocks;
        self.pages[lane] = Some(page);
        true
    }
}

impl<'k, const L: usize> Ended<'k, L> {
    /// Completes the pages as the rule says.
    ///
    /// # Safety
    /// That of [`run`]; each page's output holds its last bytes.
    unsafe fn complete(&mut self, advance: &mut impl FnMut(&mut Chains<L>, usize, usize)) {
        let pages = &self.pages[..core::mem::take(&mut self.count)];
        if pages.is_empty() {
            return;
        }
        let places = self.blocks.as_mut_ptr();
        for (lane, page) in pages.iter().flatten().enumerate() {
            let place = places.wrapping_add(lane);
            // SAFETY: there are as many places as lanes, and InnoDB's rule allows no page of fewer than 32 bytes.
            unsafe {
                *place = match self.rule {
                    // The second chain, over the last 32 bytes.
                    Rule::InnoDb => page.dst.add(page.len - 32).cast::<[u128; 2]>().read_unaligned(),
                    _ => [0; 2],
                };
            }
            self.lanes.set_up(lane, page);
            self.lanes.direct(lane, 0, place.cast(), place.cast());
        }
        // Lanes beyond work on what they worked on before, or on the idle buffer, and that must not be a page.
        let steps = if self.rule == Rule::InnoDb { 2 } else { 1 };
        for lane in pages.len()..L {
            self.lanes.wait(lane, 0, steps);
        }
        advance(&mut self.lanes.chains, 0, steps);
        for (lane, page) in pages.iter().flatten().enumerate() {
            let place = places.wrapping_add(lane);
            // SAFETY: as above; the last bytes of the page's output already hold its input.
            unsafe {
                if self.rule == Rule::InnoDb {
                    page.dst.add(page.len - 32).cast::<[u128; 2]>().write_unaligned(*place);
                } else {
                    // The encrypted initialisation vector is what a block of zeros has become.
                    let (mask, tail) = (&*place.cast::<[u8; 16]>(), page.len % 16);
                    let bytes = core::slice::from_raw_parts_mut(page.dst.add(page.len - tail), tail);
                    for (byte, mask) in bytes.iter_mut().zip(mask) {
                        *byte ^= mask;
                    }
                }
            }
        }
    }
}

impl<const L: usize> Drop for Lanes<'_, L> {
    fn drop(&mut self) {
        if self.own_keys {
            for keys in &mut self.chains.keys {
                keys.zeroize();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::InstructionSet;
    use crate::wiped::dropped;

    #[test]
    fn round_keys_copied_into_lanes_are_cleared() {
        let schedule = Schedule { keys: [7; ROUND_KEYS_MAX], rounds: 14, set: InstructionSet::AesNi };
        let mut idle = [0; 16 * IDLE_STEPS];
        let place = idle.as_mut_ptr();
        let mut lanes = Lanes::<4>::new(false, &mut idle);
        let page = Chain { schedule: &schedule, iv: 1, src: place, dst: place, len: 16 };
        for lane in 0..4 {
            lanes.set_up(lane, &page);
        }
        assert_eq!(lanes.chains.keys.map(|keys| keys[3]), schedule.keys);
        assert_eq!(dropped(lanes).chains.keys, [[0; 4]; ROUND_KEYS_MAX]);
    }
}
