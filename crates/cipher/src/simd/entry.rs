//! The kernels compiled for each instruction set: plain functions, one per use, that choose the number of rounds.
//!
//! # Safety
//! Contract of every function in here: the processor has the features the function is compiled with, the schedule is
//! one of the right direction, and the memory named by spans and chains is valid as the kernel says.

macro_rules! instruction_set {
    ($(#[$attribute:meta])* $name:ident, $features:literal, $vector:ty, $registers:literal) => {
        $(#[$attribute])*
        pub(super) mod $name {
            use super::super::kernels::{self, Chains, RoundKeys, Span};
            use super::super::schedule::Schedule;
            use super::super::vector::{self, Vector};

            /// Chains that run at the same time.
            pub(in super::super) const LANES: usize = REGISTERS * BLOCKS;
            const BLOCKS: usize = <$vector as Vector>::BLOCKS;
            const REGISTERS: usize = $registers;

            #[target_feature(enable = $features)]
            pub(in super::super) unsafe fn ecb_encrypt(schedule: &Schedule, span: Span) {
                let work = &mut kernels::EcbEncrypt;
                // SAFETY: the caller keeps this module's contract.
                unsafe {
                    match schedule.rounds {
                        10 => kernels::run::<$vector, 10>(work, &schedule.keys, span),
                        12 => kernels::run::<$vector, 12>(work, &schedule.keys, span),
                        _ => kernels::run::<$vector, 14>(work, &schedule.keys, span),
                    }
                }
            }

            #[target_feature(enable = $features)]
            pub(in super::super) unsafe fn ecb_decrypt(schedule: &Schedule, span: Span) {
                let work = &mut kernels::EcbDecrypt;
                // SAFETY: the caller keeps this module's contract.
                unsafe {
                    match schedule.rounds {
                        10 => kernels::run::<$vector, 10>(work, &schedule.keys, span),
                        12 => kernels::run::<$vector, 12>(work, &schedule.keys, span),
                        _ => kernels::run::<$vector, 14>(work, &schedule.keys, span),
                    }
                }
            }

            #[target_feature(enable = $features)]
            pub(in super::super) unsafe fn cbc_decrypt(schedule: &Schedule, before: &mut u128, span: Span) {
                let mut work = kernels::CbcDecrypt { before: *before };
                // SAFETY: the caller keeps this module's contract.
                unsafe {
                    match schedule.rounds {
                        10 => kernels::run::<$vector, 10>(&mut work, &schedule.keys, span),
                        12 => kernels::run::<$vector, 12>(&mut work, &schedule.keys, span),
                        _ => kernels::run::<$vector, 14>(&mut work, &schedule.keys, span),
                    }
                }
                *before = work.before;
            }

            #[target_feature(enable = $features)]
            pub(in super::super) unsafe fn ctr(schedule: &Schedule, counter: &mut u128, span: Span) {
                let mut work = kernels::Ctr { counter: *counter };
                // SAFETY: the caller keeps this module's contract.
                unsafe {
                    match schedule.rounds {
                        10 => kernels::run::<$vector, 10>(&mut work, &schedule.keys, span),
                        12 => kernels::run::<$vector, 12>(&mut work, &schedule.keys, span),
                        _ => kernels::run::<$vector, 14>(&mut work, &schedule.keys, span),
                    }
                }
                *counter = work.counter;
            }

            #[target_feature(enable = $features)]
            pub(in super::super) unsafe fn cbc_encrypt(schedule: &Schedule, before: &mut u128, span: Span) {
                // SAFETY: the caller keeps this module's contract.
                unsafe {
                    match schedule.rounds {
                        10 => kernels::cbc_encrypt::<10>(&schedule.keys, before, span),
                        12 => kernels::cbc_encrypt::<12>(&schedule.keys, before, span),
                        _ => kernels::cbc_encrypt::<14>(&schedule.keys, before, span),
                    }
                }
            }

            /// Takes every lane through these steps, with one schedule for all or with each lane's own.
            #[target_feature(enable = $features)]
            pub(in super::super) unsafe fn cbc_lanes(
                chains: &mut Chains<LANES>,
                shared: Option<&Schedule>,
                rounds: usize,
                from: usize,
                to: usize,
            ) {
                // Not read where every lane has its own keys.
                const NO_KEYS: RoundKeys = [0; super::super::schedule::ROUND_KEYS_MAX];
                use kernels::cbc_lanes as lanes;
                // SAFETY: the caller keeps this module's contract.
                unsafe {
                    match (shared, rounds) {
                        (Some(one), 10) => lanes::<$vector, REGISTERS, BLOCKS, LANES, 10, true>(chains, &one.keys, from, to),
                        (Some(one), 12) => lanes::<$vector, REGISTERS, BLOCKS, LANES, 12, true>(chains, &one.keys, from, to),
                        (Some(one), _) => lanes::<$vector, REGISTERS, BLOCKS, LANES, 14, true>(chains, &one.keys, from, to),
                        (None, 10) => lanes::<$vector, REGISTERS, BLOCKS, LANES, 10, false>(chains, &NO_KEYS, from, to),
                        (None, 12) => lanes::<$vector, REGISTERS, BLOCKS, LANES, 12, false>(chains, &NO_KEYS, from, to),
                        (None, _) => lanes::<$vector, REGISTERS, BLOCKS, LANES, 14, false>(chains, &NO_KEYS, from, to),
                    }
                }
            }
        }
    };
}

instruction_set!(
    /// AES-NI: one block in a register.
    aes_ni, "aes,avx", vector::Xmm, 10
);
instruction_set!(
    /// VAES with 256-bit registers: two blocks.
    vaes256, "aes,vaes,avx2", vector::Ymm, 12
);
instruction_set!(
    /// VAES with 512-bit registers: four blocks.
    vaes512, "aes,vaes,avx2,avx512f,avx512bw", vector::Zmm, 8
);
