//! The loops, written once for every register width and number of rounds.
//!
//! All are `inline(always)` so that they are compiled with the instructions of the function that calls them, and
//! `entry.rs` has those functions. There is no branch and no address here that depends on a key or on data.

use core::arch::asm;
use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

use super::schedule::ROUND_KEYS_MAX;
use super::vector::{Vector, Xmm};

/// Registers that a loop over independent blocks keeps busy at once: as many rounds as are in flight on processors that start two and take
/// four cycles for each.
pub(super) const REGISTERS: usize = 8;

/// Round keys of one direction.
pub(super) type RoundKeys = [u128; ROUND_KEYS_MAX];

/// Where one call works: `blocks` whole blocks from `src` to `dst`, which are the same place or share no byte.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) src: *const u8,
    pub(super) dst: *mut u8,
    pub(super) blocks: usize,
}

impl Span {
    /// Steps over the first `blocks`.
    #[inline(always)]
    fn advance(&mut self, blocks: usize) {
        self.src = self.src.wrapping_add(16 * blocks);
        self.dst = self.dst.wrapping_add(16 * blocks);
        self.blocks -= blocks;
    }
}

/// The same reference, as if it came from elsewhere.
///
/// Without it the compiler keeps all round keys in registers from one turn of a loop to the next, and has to keep the
/// blocks, which are what must be in registers, in memory.
#[inline(always)]
fn reread(keys: &RoundKeys) -> &RoundKeys {
    let mut nothing = 0_usize;
    // SAFETY: no instruction at all, so the offset stays zero.
    unsafe {
        asm!("/* {0} */", inout(reg) nothing, options(nomem, nostack, preserves_flags));
        &*core::ptr::from_ref(keys).byte_add(nothing)
    }
}

/// Encrypts every register.
///
/// # Safety
/// That of [`Vector`].
#[inline(always)]
unsafe fn encrypt<V: Vector, const N: usize, const ROUNDS: usize>(state: &mut [V; N], keys: &RoundKeys) {
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        let key = V::splat(keys[0]);
        for block in state.iter_mut() {
            *block = block.xor(key);
        }
        for key in &keys[1..ROUNDS] {
            let key = V::splat(*key);
            for block in state.iter_mut() {
                *block = block.encrypt_round(key);
            }
        }
        let key = V::splat(keys[ROUNDS]);
        for block in state.iter_mut() {
            *block = block.encrypt_last(key);
        }
    }
}

/// Decrypts every register.
///
/// # Safety
/// That of [`Vector`].
#[inline(always)]
unsafe fn decrypt<V: Vector, const N: usize, const ROUNDS: usize>(state: &mut [V; N], keys: &RoundKeys) {
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        let key = V::splat(keys[0]);
        for block in state.iter_mut() {
            *block = block.xor(key);
        }
        for key in &keys[1..ROUNDS] {
            let key = V::splat(*key);
            for block in state.iter_mut() {
                *block = block.decrypt_round(key);
            }
        }
        let key = V::splat(keys[ROUNDS]);
        for block in state.iter_mut() {
            *block = block.decrypt_last(key);
        }
    }
}

/// What is done to independent blocks.
pub(super) trait Work<const ROUNDS: usize> {
    /// Processes `N` registers of blocks.
    ///
    /// # Safety
    /// That of [`Vector`]; `span` has at least `N * V::BLOCKS` blocks, readable and writable.
    unsafe fn registers<V: Vector, const N: usize>(&mut self, keys: &RoundKeys, span: Span);
}

/// Works through a span: whole groups of registers first, then what is left in halving groups and single blocks.
///
/// # Safety
/// That of [`Vector`], for `V` and for [`Xmm`]; the span's memory is valid.
#[inline(always)]
pub(super) unsafe fn run<V: Vector, const ROUNDS: usize>(
    work: &mut impl Work<ROUNDS>,
    keys: &RoundKeys,
    mut span: Span,
) {
    // SAFETY: the caller vouches for instructions and memory, and each step is taken only where its blocks are left.
    unsafe {
        while span.blocks >= REGISTERS * V::BLOCKS {
            work.registers::<V, REGISTERS>(reread(keys), span);
            span.advance(REGISTERS * V::BLOCKS);
        }
        if span.blocks >= 4 * V::BLOCKS {
            work.registers::<V, 4>(keys, span);
            span.advance(4 * V::BLOCKS);
        }
        if span.blocks >= 2 * V::BLOCKS {
            work.registers::<V, 2>(keys, span);
            span.advance(2 * V::BLOCKS);
        }
        while span.blocks >= V::BLOCKS {
            work.registers::<V, 1>(keys, span);
            span.advance(V::BLOCKS);
        }
        while span.blocks > 0 {
            work.registers::<Xmm, 1>(keys, span);
            span.advance(1);
        }
    }
}

/// Encrypts each block by itself.
pub(super) struct EcbEncrypt;

impl<const ROUNDS: usize> Work<ROUNDS> for EcbEncrypt {
    #[inline(always)]
    unsafe fn registers<V: Vector, const N: usize>(&mut self, keys: &RoundKeys, span: Span) {
        // SAFETY: the caller vouches for instructions and memory.
        unsafe {
            let mut state = load::<V, N>(span.src);
            encrypt::<V, N, ROUNDS>(&mut state, keys);
            store(&state, span.dst);
        }
    }
}

/// Decrypts each block by itself.
pub(super) struct EcbDecrypt;

impl<const ROUNDS: usize> Work<ROUNDS> for EcbDecrypt {
    #[inline(always)]
    unsafe fn registers<V: Vector, const N: usize>(&mut self, keys: &RoundKeys, span: Span) {
        // SAFETY: the caller vouches for instructions and memory.
        unsafe {
            let mut state = load::<V, N>(span.src);
            decrypt::<V, N, ROUNDS>(&mut state, keys);
            store(&state, span.dst);
        }
    }
}

/// Undoes a chain; holds the encrypted block before the next one.
pub(super) struct CbcDecrypt {
    pub(super) before: u128,
}

impl<const ROUNDS: usize> Work<ROUNDS> for CbcDecrypt {
    #[inline(always)]
    unsafe fn registers<V: Vector, const N: usize>(&mut self, keys: &RoundKeys, span: Span) {
        let bytes = 16 * V::BLOCKS;
        // SAFETY: the caller vouches for instructions and memory. From the second register on, the block before the
        // register is inside the span too.
        unsafe {
            let mut state = load::<V, N>(span.src);
            let first = state[0].shifted_in(self.before);
            let last = span.src.wrapping_add(N * bytes - 16).cast::<u128>().read_unaligned();
            decrypt::<V, N, ROUNDS>(&mut state, keys);
            // Backwards, because in place each register needs the still encrypted block in front of it.
            for at in (1..N).rev() {
                let before = V::load(span.src.wrapping_add(at * bytes - 16));
                state[at].xor(before).store(span.dst.wrapping_add(at * bytes));
            }
            state[0].xor(first).store(span.dst);
            self.before = last;
        }
    }
}

/// How far each block of a register is from its first.
const FIRST: [u128; 4] = [0, 1, 2, 3];

/// Exclusive-ors the encrypted counter; holds its next value.
pub(super) struct Ctr {
    pub(super) counter: u128,
}

impl<const ROUNDS: usize> Work<ROUNDS> for Ctr {
    #[inline(always)]
    unsafe fn registers<V: Vector, const N: usize>(&mut self, keys: &RoundKeys, span: Span) {
        // SAFETY: the caller vouches for instructions and memory; the counters are four blocks on the stack, and no
        // register has more.
        unsafe {
            let mut state = [V::splat(0); N];
            let blocks = (N * V::BLOCKS) as u64;
            // Counters are public, so this branch tells nothing.
            if (self.counter as u64).checked_add(blocks).is_some() {
                let step = V::splat(V::BLOCKS as u128);
                let mut counters = V::splat(self.counter).add_halves(V::load(FIRST.as_ptr().cast()));
                for block in &mut state {
                    *block = counters.reversed();
                    counters = counters.add_halves(step);
                }
            } else {
                // The lower halves carry into the upper ones somewhere in here.
                let mut values = FIRST.map(|place| self.counter.wrapping_add(place));
                for block in &mut state {
                    *block = V::load(values.as_ptr().cast()).reversed();
                    values = values.map(|value| value.wrapping_add(V::BLOCKS as u128));
                }
            }
            encrypt::<V, N, ROUNDS>(&mut state, keys);
            for (at, block) in state.iter().enumerate() {
                let place = at * 16 * V::BLOCKS;
                let data = V::load(span.src.wrapping_add(place));
                block.xor(data).store(span.dst.wrapping_add(place));
            }
            self.counter = self.counter.wrapping_add(u128::from(blocks));
        }
    }
}

#[inline(always)]
unsafe fn load<V: Vector, const N: usize>(from: *const u8) -> [V; N] {
    // SAFETY: the caller vouches for instructions and memory.
    unsafe {
        let mut state = [V::splat(0); N];
        for (at, register) in state.iter_mut().enumerate() {
            *register = V::load(from.wrapping_add(at * 16 * V::BLOCKS));
        }
        state
    }
}

#[inline(always)]
unsafe fn store<V: Vector, const N: usize>(state: &[V; N], to: *mut u8) {
    for (at, register) in state.iter().enumerate() {
        // SAFETY: the caller vouches for instructions and memory.
        unsafe { register.store(to.wrapping_add(at * 16 * V::BLOCKS)) };
    }
}

/// One chain. Nothing in it can run at the same time, so only the way from one block to the next counts: the next
/// block is brought in by the last round's key, which leaves nothing between two blocks but the rounds.
///
/// # Safety
/// That of [`Vector`] for [`Xmm`]; the span's memory is valid.
#[inline(always)]
pub(super) unsafe fn cbc_encrypt<const ROUNDS: usize>(keys: &RoundKeys, before: &mut u128, span: Span) {
    if span.blocks == 0 {
        return;
    }
    // SAFETY: the caller vouches for instructions and memory, and no block outside the span is read.
    unsafe {
        let (first, last) = (Xmm::splat(keys[0]), Xmm::splat(keys[ROUNDS]));
        let mut state = Xmm::splat(*before).xor(Xmm::load(span.src).xor(first));
        for at in 0..span.blocks - 1 {
            for key in &keys[1..ROUNDS] {
                state = state.encrypt_round(Xmm::splat(*key));
            }
            let next = Xmm::load(span.src.wrapping_add(16 * (at + 1))).xor(first);
            state = state.encrypt_last(last.xor(next));
            state.xor(next).store(span.dst.wrapping_add(16 * at));
        }
        for key in &keys[1..ROUNDS] {
            state = state.encrypt_round(Xmm::splat(*key));
        }
        state = state.encrypt_last(last);
        state.store(span.dst.wrapping_add(16 * (span.blocks - 1)));
        state.store((before as *mut u128).cast());
    }
}

/// What a set of chains looks like to the loop: `L` lanes, each with the block before, and where it reads and writes.
#[repr(C, align(64))]
pub(super) struct Chains<const L: usize> {
    /// Round keys by round and lane, where the lanes' keys differ.
    pub(super) keys: [[u128; L]; ROUND_KEYS_MAX],
    /// The encrypted block before, or the initialisation vector.
    pub(super) before: [u128; L],
    /// Addresses at step 0; the loop adds 16 times the step.
    pub(super) src: [*const u8; L],
    pub(super) dst: [*mut u8; L],
}

/// Takes every lane from step `from` to step `to`. `shared` are the round keys of all lanes, or nothing when each has
/// its own.
///
/// As many steps as a register has blocks make a [`Tile`], where that many are left: single blocks would need so many
/// reads, writes and moves between parts of registers that these, not the rounds, set the speed of wide registers.
///
/// # Safety
/// That of [`Vector`]; `B` is `V::BLOCKS` and `L` is `N * B`; every lane's addresses are valid for these steps, and no
/// lane's output is another lane's input or output, except where the values do not matter.
#[inline(always)]
pub(super) unsafe fn cbc_lanes<
    V: Vector,
    const N: usize,
    const B: usize,
    const L: usize,
    const ROUNDS: usize,
    const SHARED: bool,
>(
    chains: &mut Chains<L>,
    shared: &RoundKeys,
    from: usize,
    to: usize,
) {
    // SAFETY: the caller vouches for instructions and memory.
    unsafe {
        let mut state = load::<V, N>(chains.before.as_ptr().cast());
        let tiles = if B > 1 { (to - from) / B } else { 0 };
        if tiles > 0 {
            cbc_tiles::<V, N, B, L, ROUNDS, SHARED>(&mut state, chains, shared, from, tiles);
        }
        for step in from + tiles * B..to {
            let at = 16 * step;
            let mut plain = [V::splat(0); N];
            for (register, blocks) in plain.iter_mut().enumerate() {
                *blocks = V::gather(&chains.src[register * B..], at);
            }
            if SHARED {
                cbc_step::<V, N, ROUNDS>(&mut state, &plain, Shared(reread(shared)), &mut ());
            } else {
                cbc_step::<V, N, ROUNDS>(&mut state, &plain, Own(chains), &mut ());
            }
            for (register, block) in state.iter().enumerate() {
                block.scatter(&chains.dst[register * B..], at);
            }
        }
        store(&state, chains.before.as_mut_ptr().cast());
    }
}

/// `B` steps of all lanes, by step and register: plaintext before its step was taken, encrypted after.
type Tile<V, const N: usize, const B: usize> = [[V; N]; B];

/// Takes every lane `tiles * B` steps on. Lanes are read and written by whole registers, and [turned](turn) in between.
/// The tile before is written and the tile behind is read while the rounds of this one run, spread over them: in one
/// piece they would fill the processor's queues, and the rounds would wait.
///
/// # Safety
/// That of [`cbc_lanes`]; `tiles` is not zero.
#[inline(always)]
unsafe fn cbc_tiles<
    V: Vector,
    const N: usize,
    const B: usize,
    const L: usize,
    const ROUNDS: usize,
    const SHARED: bool,
>(
    state: &mut [V; N],
    chains: &Chains<L>,
    shared: &RoundKeys,
    from: usize,
    tiles: usize,
) {
    let bytes = 16 * B;
    // SAFETY: the caller vouches for instructions and memory.
    unsafe {
        let mut resident = [V::splat(0); ROUND_KEYS_MAX];
        if SHARED && V::REGISTERS >= 32 {
            for (key, block) in resident.iter_mut().zip(&shared[..=ROUNDS]) {
                *key = V::splat(*block);
            }
        }
        let mut buffers: [Tile<V, N, B>; 2] = [[[V::splat(0); N]; B]; 2];
        let mut group = [V::splat(0); B];
        for register in 0..N {
            for part in 0..B - 1 {
                read_tile(&mut buffers[0], chains, register, 16 * from, &mut group, part);
            }
        }
        for tile in 0..tiles {
            let at = 16 * from + tile * bytes;
            let behind = (tile + 1 < tiles).then_some(at + bytes);
            let [even, odd] = &mut buffers;
            let (this, other) = if tile.is_multiple_of(2) { (even, odd) } else { (odd, even) };
            for (step, row) in this.iter_mut().enumerate() {
                let plain = *row;
                let before = (tile > 0).then(|| at.wrapping_sub(bytes));
                let mut turning = Turning::<V, N, B, L, ROUNDS> {
                    tile: other,
                    group: [V::splat(0); B],
                    chains,
                    register: step * (N / B),
                    before,
                    behind,
                };
                if !SHARED {
                    cbc_step::<V, N, ROUNDS>(state, &plain, Own(chains), &mut turning);
                } else if V::REGISTERS < 32 {
                    cbc_step::<V, N, ROUNDS>(state, &plain, Shared(reread(shared)), &mut turning);
                } else {
                    cbc_step::<V, N, ROUNDS>(state, &plain, Resident(&resident), &mut turning);
                }
                *row = *state;
            }
        }
        for register in 0..N {
            for part in 0..B - 1 {
                let at = 16 * from + (tiles - 1) * bytes;
                write_tile(&buffers[(tiles - 1) % 2], chains, register, at, &mut group, part);
            }
        }
    }
}

/// What is done between the rounds of a step.
trait Between {
    /// Called after each round but the last, with the round's number.
    ///
    /// # Safety
    /// That of [`Vector`].
    unsafe fn after(&mut self, round: usize);
}

/// Nothing.
impl Between for () {
    #[inline(always)]
    unsafe fn after(&mut self, _: usize) {}
}

/// A tile that is written and read during a step: as many registers as there are for each of its steps.
struct Turning<'c, V, const N: usize, const B: usize, const L: usize, const ROUNDS: usize> {
    tile: &'c mut Tile<V, N, B>,
    /// What is being turned.
    group: [V; B],
    chains: &'c Chains<L>,
    /// The first register.
    register: usize,
    /// Where it is written, unless it holds nothing yet.
    before: Option<usize>,
    /// Where it is read then, unless nothing is left. No plaintext is left in it that way either.
    behind: Option<usize>,
}

impl<V: Vector, const N: usize, const B: usize, const L: usize, const ROUNDS: usize> Between
    for Turning<'_, V, N, B, L, ROUNDS>
{
    #[inline(always)]
    unsafe fn after(&mut self, round: usize) {
        // Parts of turning to write and to read each register, spread evenly over all rounds but the last.
        let parts = 2 * (N / B) * (B - 1);
        let upto = |round: usize| (round * parts).div_ceil(ROUNDS - 1);
        for number in upto(round - 1)..upto(round) {
            let (turn, part) = (number / (B - 1), number % (B - 1));
            let register = self.register + turn / 2;
            // SAFETY: the caller vouches for the instructions, whoever made this for memory and registers.
            unsafe {
                if turn.is_multiple_of(2) {
                    if let Some(before) = self.before {
                        write_tile(self.tile, self.chains, register, before, &mut self.group, part);
                    }
                } else if let Some(behind) = self.behind {
                    read_tile(self.tile, self.chains, register, behind, &mut self.group, part);
                }
            }
        }
    }
}

/// One of the `B - 1` parts of turning `B` registers, each with blocks that follow one another in a lane, into registers
/// that each hold one block of every lane; or back again, which is the same.
///
/// # Safety
/// That of [`Vector`]; `B` is `V::BLOCKS`.
#[inline(always)]
unsafe fn turn<V: Vector, const B: usize>(
    group: &mut [V; B],
    part: usize,
    take: impl Fn(usize) -> V,
    give: impl Fn(usize, V),
) {
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        if part < B / 2 {
            let (first, second) = (2 * part, 2 * part + 1);
            (group[first], group[second]) = take(first).parted(take(second));
        }
        if part + 2 == B {
            if B == 4 {
                (group[0], group[2]) = group[0].parted(group[2]);
                (group[1], group[3]) = group[1].parted(group[3]);
            }
            for (at, blocks) in group.iter().enumerate() {
                give(at, *blocks);
            }
        }
    }
}

/// How far ahead of its reading a lane asks for memory: the processor does not follow so many lanes by itself, and with
/// pages that are in no cache that is half of the speed. Not more than lanes are apart, or they would compete after all.
const AHEAD: usize = 192;

/// Bytes in a line of the cache.
const LINE_BYTES: usize = 64;

/// Reads the lanes of one register into a tile: one [part](turn) of it.
///
/// # Safety
/// That of [`cbc_lanes`], for `16 * B` bytes `at` bytes past the lanes' addresses; `register` is less than `N`.
#[inline(always)]
unsafe fn read_tile<V: Vector, const N: usize, const B: usize, const L: usize>(
    tile: &mut Tile<V, N, B>,
    chains: &Chains<L>,
    register: usize,
    at: usize,
    group: &mut [V; B],
    part: usize,
) {
    // SAFETY: the caller vouches for instructions, memory and index. An address that is only asked for may be any.
    unsafe {
        let lanes = chains.src.as_ptr().add(register * B);
        let rows = tile.as_mut_ptr().cast::<V>().add(register);
        let take = |lane| {
            let from = (*lanes.add(lane)).wrapping_add(at);
            // Once for every line.
            if at % LINE_BYTES < 16 * B {
                _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(AHEAD).cast());
            }
            V::load(from)
        };
        turn(group, part, take, |step, blocks| *rows.add(step * N) = blocks);
    }
}

/// Writes one register's lanes of a tile: one [part](turn) of it.
///
/// # Safety
/// As for [`read_tile`].
#[inline(always)]
unsafe fn write_tile<V: Vector, const N: usize, const B: usize, const L: usize>(
    tile: &Tile<V, N, B>,
    chains: &Chains<L>,
    register: usize,
    at: usize,
    group: &mut [V; B],
    part: usize,
) {
    // SAFETY: the caller vouches for instructions, memory and index.
    unsafe {
        let lanes = chains.dst.as_ptr().add(register * B);
        let rows = tile.as_ptr().cast::<V>().add(register);
        let give = |lane, blocks: V| blocks.store((*lanes.add(lane)).wrapping_add(at));
        turn(group, part, |step| *rows.add(step * N), give);
    }
}

/// Encrypts the next block of every lane.
///
/// # Safety
/// That of [`Vector`].
#[inline(always)]
unsafe fn cbc_step<V: Vector, const N: usize, const ROUNDS: usize>(
    state: &mut [V; N],
    plain: &[V; N],
    keys: impl Keys<V>,
    between: &mut impl Between,
) {
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        for (register, block) in state.iter_mut().enumerate() {
            let key = keys.round(0, register * V::BLOCKS);
            *block = block.xor(plain[register].xor(key));
        }
        // Spelt out, because the compiler leaves a loop here, whose end the processor then guesses wrong.
        macro_rules! rounds {
            ($($round:literal)*) => {$(
                if $round < ROUNDS {
                    for (register, block) in state.iter_mut().enumerate() {
                        let key = keys.round($round, register * V::BLOCKS);
                        *block = block.encrypt_round(key).pinned();
                    }
                    between.after($round);
                }
            )*};
        }
        rounds!(1 2 3 4 5 6 7 8 9 10 11 12 13);
        for (register, block) in state.iter_mut().enumerate() {
            let key = keys.round(ROUNDS, register * V::BLOCKS);
            *block = block.encrypt_last(key);
        }
    }
}

/// Where a step takes its round keys from.
trait Keys<V: Vector>: Copy {
    /// The key of a round for the lanes of one register, which start with `lane`.
    ///
    /// # Safety
    /// That of [`Vector`]; a whole register of lanes follows.
    unsafe fn round(self, round: usize, lane: usize) -> V;
}

/// One schedule for all lanes, in registers. Only processors with 32 registers have room for it beside the blocks.
#[derive(Clone, Copy)]
struct Resident<'k, V>(&'k [V; ROUND_KEYS_MAX]);

/// One schedule for all lanes, read from memory in each step.
#[derive(Clone, Copy)]
struct Shared<'k>(&'k RoundKeys);

/// Each lane's own.
#[derive(Clone, Copy)]
struct Own<'c, const L: usize>(&'c Chains<L>);

impl<V: Vector> Keys<V> for Resident<'_, V> {
    #[inline(always)]
    unsafe fn round(self, round: usize, _: usize) -> V {
        self.0[round]
    }
}

impl<V: Vector> Keys<V> for Shared<'_> {
    #[inline(always)]
    unsafe fn round(self, round: usize, _: usize) -> V {
        // SAFETY: the caller vouches for the instructions.
        unsafe { V::splat(self.0[round]) }
    }
}

impl<V: Vector, const L: usize> Keys<V> for Own<'_, L> {
    #[inline(always)]
    unsafe fn round(self, round: usize, lane: usize) -> V {
        // SAFETY: the caller vouches for the instructions and for a whole register of lanes.
        unsafe { V::load(self.0.keys[round].as_ptr().add(lane).cast()) }
    }
}
