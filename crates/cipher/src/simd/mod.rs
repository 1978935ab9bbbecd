//! AES with the processor's own instructions: the only `unsafe` code of this crate.
//!
//! **Contract.** What this module shows the rest of the crate is safe to call with anything:
//!
//! - a [`Schedule`] is made only after the processor was seen to have its instruction set, so whoever holds one may run
//!   that set's code;
//! - addresses come from slices that are borrowed for the whole call: the input readable, the output writable, both the
//!   same place or without a shared byte, which Rust's borrows guarantee and [`Buffer`] expresses;
//! - lengths are cut to whole blocks before an address is made, and rules for page ends are checked before a page is
//!   put into a lane.
//!
//! Everything takes the same time whatever the key and the data are: the only branches and addresses depend on
//! lengths, on the number of rounds and on counters.
//!
//! Miri knows none of these instructions; under Miri the portable code runs.
//!
//! | file | what it holds |
//! |---|---|
//! | `vector` | registers of one, two or four blocks, an instruction per function |
//! | `schedule` | key expansion |
//! | `kernels` | the loops, for any register and number of rounds |
//! | `entry` | the loops compiled for each instruction set |
//! | `lanes` | which page runs in which lane, and when |

mod entry;
mod kernels;
mod lanes;
mod schedule;
mod vector;

use core::sync::atomic::{AtomicU8, Ordering};
use std::arch::is_x86_feature_detected;

use self::entry::{aes_ni, vaes256, vaes512};
use self::kernels::Span;
use self::lanes::Chain;
pub(crate) use self::schedule::Schedule;
use crate::pages::Rule;
use crate::{Buffer, Iv};

/// What a processor may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum InstructionSet {
    /// One block in a register.
    AesNi = 1,
    /// Two blocks in a register.
    Vaes256 = 2,
    /// Four blocks in a register.
    Vaes512 = 3,
}

impl InstructionSet {
    /// Whether this processor has it.
    pub(crate) fn is_here(self) -> bool {
        if cfg!(miri) {
            return false;
        }
        let aes_ni = is_x86_feature_detected!("aes") && is_x86_feature_detected!("avx");
        let vaes256 = || aes_ni && is_x86_feature_detected!("vaes") && is_x86_feature_detected!("avx2");
        match self {
            Self::AesNi => aes_ni,
            Self::Vaes256 => vaes256(),
            Self::Vaes512 => {
                vaes256() && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
            }
        }
    }

    /// The widest this processor has. The answer is kept, because every context asks.
    #[inline]
    pub(crate) fn widest() -> Option<Self> {
        static ANSWER: AtomicU8 = AtomicU8::new(0);
        const NONE: u8 = u8::MAX;
        match ANSWER.load(Ordering::Relaxed) {
            1 => Some(Self::AesNi),
            2 => Some(Self::Vaes256),
            3 => Some(Self::Vaes512),
            NONE => None,
            _ => {
                let widest =
                    [Self::Vaes512, Self::Vaes256, Self::AesNi].into_iter().find(|set| set.is_here());
                ANSWER.store(widest.map_or(NONE, |set| set as u8), Ordering::Relaxed);
                widest
            }
        }
    }
}

/// Calls the function of a schedule's instruction set.
macro_rules! with_set {
    ($schedule:expr, $function:ident($($argument:expr),*)) => {
        match $schedule.set {
            InstructionSet::AesNi => aes_ni::$function($($argument),*),
            InstructionSet::Vaes256 => vaes256::$function($($argument),*),
            InstructionSet::Vaes512 => vaes512::$function($($argument),*),
        }
    };
}

/// The whole blocks of a buffer, as addresses. They are good while the buffer is borrowed.
#[inline]
fn span(data: &mut Buffer<'_>) -> Span {
    match data {
        Buffer::InPlace(data) => {
            let dst = data.as_mut_ptr();
            Span { src: dst, dst, blocks: data.len() / 16 }
        }
        Buffer::Across { src, dst } => {
            Span { src: src.as_ptr(), dst: dst.as_mut_ptr(), blocks: src.len().min(dst.len()) / 16 }
        }
    }
}

impl Schedule {
    /// Expands a key for encrypting on the widest instruction set or narrower. Nothing where the processor lacks it or
    /// the key has another length than 16, 24 or 32 bytes.
    #[inline]
    pub(crate) fn new(set: InstructionSet, key: &[u8]) -> Option<Self> {
        if InstructionSet::widest()? != set && !set.is_here() {
            return None;
        }
        // SAFETY: the processor has the set, and every set includes AES-NI.
        unsafe { Self::encrypting(set, key) }
    }

    /// The decrypting direction of this, which is the encrypting one.
    #[inline]
    pub(crate) fn inverse(&self) -> Self {
        // SAFETY: the processor has this schedule's set, and every set includes AES-NI.
        unsafe { self.inverted() }
    }

    /// What it runs with.
    pub(crate) fn instruction_set(&self) -> InstructionSet {
        self.set
    }

    /// 10, 12 or 14.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds
    }

    /// Encrypts whole blocks, each by itself.
    #[inline]
    pub(crate) fn ecb_encrypt(&self, mut data: Buffer<'_>) {
        let span = span(&mut data);
        // SAFETY: the schedule vouches for the instructions, the buffer for the memory.
        unsafe { with_set!(self, ecb_encrypt(self, span)) }
    }

    /// Decrypts whole blocks, each by itself; this is a decrypting schedule.
    #[inline]
    pub(crate) fn ecb_decrypt(&self, mut data: Buffer<'_>) {
        let span = span(&mut data);
        // SAFETY: the schedule vouches for the instructions, the buffer for the memory.
        unsafe { with_set!(self, ecb_decrypt(self, span)) }
    }

    /// Encrypts whole blocks as one chain. `before` is the initialisation vector at first, then the last block.
    #[inline]
    pub(crate) fn cbc_encrypt(&self, before: &mut Iv, mut data: Buffer<'_>) {
        let span = span(&mut data);
        let mut block = u128::from_le_bytes(*before);
        // SAFETY: the schedule vouches for the instructions, the buffer for the memory.
        unsafe { with_set!(self, cbc_encrypt(self, &mut block, span)) }
        *before = block.to_le_bytes();
    }

    /// Decrypts the whole blocks of a chain; this is a decrypting schedule.
    #[inline]
    pub(crate) fn cbc_decrypt(&self, before: &mut Iv, mut data: Buffer<'_>) {
        let span = span(&mut data);
        let mut block = u128::from_le_bytes(*before);
        // SAFETY: the schedule vouches for the instructions, the buffer for the memory.
        unsafe { with_set!(self, cbc_decrypt(self, &mut block, span)) }
        *before = block.to_le_bytes();
    }

    /// Exclusive-ors whole blocks with the encrypted counter, which counts on.
    #[inline]
    pub(crate) fn ctr(&self, counter: &mut u128, mut data: Buffer<'_>) {
        let span = span(&mut data);
        // SAFETY: the schedule vouches for the instructions, the buffer for the memory.
        unsafe { with_set!(self, ctr(self, counter, span)) }
    }
}

impl<'k> Chain<'k> {
    /// A page, unless the rule cannot apply to its length or the output is too short.
    fn new(schedule: &'k Schedule, iv: &Iv, rule: Rule, data: &'k mut Buffer<'_>) -> Option<Self> {
        let len = data.len();
        if data.check().is_err() || !rule.allows(len) {
            return None;
        }
        let Span { src, dst, .. } = span(data);
        Some(Self { schedule, iv: u128::from_le_bytes(*iv), src, dst, len })
    }
}

/// Encrypts many pages at once, each with its schedule and initialisation vector. Every schedule has the first one's
/// instruction set and rounds; with `shared`, all are the first one. Others are passed over, as are pages whose length
/// the rule does not allow.
pub(crate) fn cbc_encrypt_pages<'k, 'b: 'k>(
    first: &'k Schedule,
    shared: bool,
    rule: Rule,
    pages: impl Iterator<Item = (&'k Schedule, &'k Iv, &'k mut Buffer<'b>)>,
) {
    let chains = pages.filter_map(|(schedule, iv, data)| {
        debug_assert!(schedule.set == first.set && schedule.rounds == first.rounds);
        if schedule.set != first.set || schedule.rounds != first.rounds {
            return None;
        }
        Chain::new(schedule, iv, rule, data)
    });
    let keys = shared.then_some(first);
    let rounds = first.rounds;
    // SAFETY: the schedule vouches for the instructions. Chains are made of exclusive borrows that last as long as the
    // schedules, so their memory is valid and no two overlap; all have the same rounds, and a length that the rule
    // allows. A wrong `shared` gives wrong bytes and nothing worse.
    unsafe {
        match first.set {
            InstructionSet::AesNi => lanes::run(chains, rule, shared, |chains, from, to| {
                aes_ni::cbc_lanes(chains, keys, rounds, from, to);
            }),
            InstructionSet::Vaes256 => lanes::run(chains, rule, shared, |chains, from, to| {
                vaes256::cbc_lanes(chains, keys, rounds, from, to);
            }),
            InstructionSet::Vaes512 => lanes::run(chains, rule, shared, |chains, from, to| {
                vaes512::cbc_lanes(chains, keys, rounds, from, to);
            }),
        }
    }
}
