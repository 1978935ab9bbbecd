//! Which page runs in which lane, and when.
//!
//! A chain is serial: a block needs the one before. Chains of different pages are independent, so a set of lanes runs
//! as many as the processor can keep in flight, one block of each per step, and a lane that has finished its page takes
//! the next one.
//!
//! **The trap.** Pages are aligned to their size, so lanes that stand at the same offset of different pages compete for
//! one set of the first-level cache (4 KiB apart is enough), which has 8 to 12 places for up to 32 lanes: that costs two
//! thirds of the speed. So the lanes start one after the other, [`STAGGER_STEPS`] apart, and because a finished lane goes on with the
//! next page they stay apart to the end of the batch.
//!
//! A page is one to two stretches in its lane: the chain, then what the page's rule adds to it, which is a chain of its
//! own. Lanes without work run over a small idle buffer, which costs nothing that a shorter loop would save.

use core::ptr;

use zeroize::{Zeroize, Zeroizing};

use super::kernels::Chains;
use super::schedule::{ROUND_KEYS_MAX, Schedule};
use crate::pages::Rule;

/// Steps of 16 bytes by which each lane starts after the one before.
const STAGGER_STEPS: usize = 4;

/// Pages shorter than this many steps start together: they end before they could collide, and waiting would cost more.
const STAGGER_PAGE_STEPS: usize = 128;

/// Length of the idle buffer in steps; lanes without work stop for new instructions this often.
const IDLE_STEPS: usize = 256;

/// A page to encrypt: its rule allows its length.
#[derive(Clone, Copy)]
pub(crate) struct Chain<'k> {
    pub(super) schedule: &'k Schedule,
    pub(super) iv: u128,
    pub(super) rule: Rule,
    pub(super) src: *const u8,
    pub(super) dst: *mut u8,
    /// Bytes.
    pub(super) len: usize,
}

/// What a lane does until its next event.
#[derive(Clone, Copy)]
enum Stretch<'k> {
    /// Nothing, until it is given a page.
    Idle,
    /// The whole blocks of a page.
    Body(Chain<'k>),
    /// InnoDB's second chain over the last 32 bytes.
    Rechained,
    /// MariaDB's encrypted initialisation vector, made in the lane's spare block.
    Mask(Chain<'k>),
}

/// All that is moved while a batch runs. Copied keys are cleared on drop.
struct Lanes<'k, const L: usize> {
    chains: Chains<L>,
    /// The step at which each lane's stretch ends.
    ends: [usize; L],
    stretches: [Stretch<'k>; L],
    /// Copy each page's round keys into its lane?
    own_keys: bool,
    /// One block for each lane, for masks.
    spare: *mut [u8; 16],
    /// Where lanes without work run: [`IDLE_STEPS`] blocks whose values do not matter.
    idle: *mut u8,
}

/// Runs every chain. `advance(chains, from, to)` takes all lanes through the steps from `from` to `to`.
///
/// # Safety
/// The chains' memory is valid, in place or without overlap, and no chain's output touches another's memory. All have
/// the same number of rounds; with `shared`, all have the same schedule.
pub(super) unsafe fn run<'k, const L: usize>(
    mut pages: impl Iterator<Item = Chain<'k>>,
    shared: bool,
    mut advance: impl FnMut(&mut Chains<L>, usize, usize),
) {
    const { assert!(L * STAGGER_STEPS <= IDLE_STEPS, "the last lane waits inside the idle buffer") };
    let mut idle = [0; 16 * IDLE_STEPS];
    let mut spare = Zeroizing::new([[0; 16]; L]);
    let mut lanes = Lanes::<L> {
        chains: Chains {
            keys: [[0; L]; ROUND_KEYS_MAX],
            before: [0; L],
            src: [ptr::null(); L],
            dst: [ptr::null_mut(); L],
        },
        ends: [0; L],
        stretches: [Stretch::Idle; L],
        own_keys: !shared,
        spare: spare.as_mut_ptr(),
        idle: idle.as_mut_ptr(),
    };
    let mut now = 0;
    let mut busy = 0;
    let mut next = pages.next();
    let stagger = match &next {
        Some(page) if page.len / 16 >= STAGGER_PAGE_STEPS => STAGGER_STEPS,
        _ => 0,
    };
    for lane in 0..L {
        lanes.idle(lane, now, now + lane * stagger);
    }
    loop {
        for lane in 0..L {
            if lanes.ends[lane] != now {
                continue;
            }
            // SAFETY: passed on.
            let more = unsafe { lanes.finish(lane, now) };
            if more {
                continue;
            }
            busy -= usize::from(!matches!(lanes.stretches[lane], Stretch::Idle));
            // Pages without a stretch, being empty, are passed over.
            loop {
                let Some(page) = next.take() else {
                    lanes.idle(lane, now, (now / IDLE_STEPS + 1) * IDLE_STEPS);
                    break;
                };
                next = pages.next();
                // SAFETY: passed on.
                if unsafe { lanes.start(lane, now, page) } {
                    busy += 1;
                    break;
                }
            }
        }
        if busy == 0 && next.is_none() {
            return;
        }
        let until = lanes.ends.iter().copied().fold(usize::MAX, usize::min);
        advance(&mut lanes.chains, now, until);
        now = until;
    }
}

impl<'k, const L: usize> Lanes<'k, L> {
    /// Lets a lane run from `now` until `end` from `src` to `dst`.
    fn stretch(&mut self, lane: usize, now: usize, end: usize, src: *const u8, dst: *mut u8) {
        self.chains.src[lane] = src.wrapping_sub(16 * now);
        self.chains.dst[lane] = dst.wrapping_sub(16 * now);
        self.ends[lane] = end;
    }

    /// Lets a lane wait. No more than [`IDLE_STEPS`] at a time.
    fn idle(&mut self, lane: usize, now: usize, end: usize) {
        self.stretch(lane, now, end, self.idle, self.idle);
        self.stretches[lane] = Stretch::Idle;
    }

    /// Puts a page into a lane. False if there is nothing to do for it.
    ///
    /// # Safety
    /// That of [`run`].
    unsafe fn start(&mut self, lane: usize, now: usize, page: Chain<'k>) -> bool {
        let (blocks, rest) = (page.len / 16, page.len % 16);
        if rest > 0 && page.src != page.dst.cast_const() {
            // SAFETY: the last bytes of the page, at two places that do not overlap.
            unsafe { ptr::copy_nonoverlapping(page.src.add(16 * blocks), page.dst.add(16 * blocks), rest) };
        }
        if self.own_keys && page.len > 0 {
            for (keys, key) in self.chains.keys.iter_mut().zip(&page.schedule.keys) {
                keys[lane] = *key;
            }
        }
        if blocks == 0 {
            return self.extra(lane, now, page);
        }
        self.chains.before[lane] = page.iv;
        self.stretch(lane, now, now + blocks, page.src, page.dst);
        self.stretches[lane] = Stretch::Body(page);
        true
    }

    /// Starts what the page's rule adds to its body. False if that is nothing.
    fn extra(&mut self, lane: usize, now: usize, page: Chain<'k>) -> bool {
        if page.len.is_multiple_of(16) {
            return false;
        }
        match page.rule {
            Rule::WholeBlocks => false,
            Rule::InnoDb => {
                let last = page.dst.wrapping_add(page.len - 32);
                self.chains.before[lane] = page.iv;
                self.stretch(lane, now, now + 2, last, last);
                self.stretches[lane] = Stretch::Rechained;
                true
            }
            Rule::MariaDb => {
                // The chain's first block, of zeros, is the encrypted initialisation vector.
                let spare = self.spare.wrapping_add(lane).cast::<u8>();
                // SAFETY: each lane has its block.
                unsafe { spare.cast::<[u8; 16]>().write([0; 16]) };
                self.chains.before[lane] = page.iv;
                self.stretch(lane, now, now + 1, spare, spare);
                self.stretches[lane] = Stretch::Mask(page);
                true
            }
        }
    }

    /// Completes the stretch that ends now. True if the page goes on in this lane.
    ///
    /// # Safety
    /// That of [`run`].
    unsafe fn finish(&mut self, lane: usize, now: usize) -> bool {
        match self.stretches[lane] {
            Stretch::Idle | Stretch::Rechained => false,
            Stretch::Body(page) => self.extra(lane, now, page),
            Stretch::Mask(page) => {
                let tail = page.len % 16;
                // SAFETY: the last bytes of the page's output, which already hold its input, and the lane's own block.
                let (bytes, mask) = unsafe {
                    let bytes = core::slice::from_raw_parts_mut(page.dst.add(page.len - tail), tail);
                    (bytes, &*self.spare.add(lane))
                };
                for (byte, mask) in bytes.iter_mut().zip(mask) {
                    *byte ^= mask;
                }
                false
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
