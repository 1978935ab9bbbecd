//! Vector registers that hold whole AES blocks: one, two or four.

use core::arch::asm;
use core::arch::x86_64::*;

/// A register of [`BLOCKS`](Self::BLOCKS) AES blocks.
///
/// # Safety
/// Contract of every function: the processor has the instructions named at the implementation. Functions that take
/// addresses ask for memory valid for the bytes they name; no alignment is needed.
pub(super) trait Vector: Copy {
    /// AES blocks in a register.
    const BLOCKS: usize;
    /// Registers of this width that the processor has.
    const REGISTERS: usize = 16;

    /// The same block in every place.
    unsafe fn splat(block: u128) -> Self;
    /// Reads `16 * BLOCKS` bytes.
    unsafe fn load(from: *const u8) -> Self;
    /// Writes `16 * BLOCKS` bytes.
    unsafe fn store(self, to: *mut u8);
    /// Reads one block from each of the first `BLOCKS` addresses, `at` bytes further on.
    unsafe fn gather(from: &[*const u8], at: usize) -> Self;
    /// Writes one block to each of the first `BLOCKS` addresses, `at` bytes further on.
    unsafe fn scatter(self, to: &[*mut u8], at: usize);
    /// The even blocks of two registers, and the odd ones.
    unsafe fn parted(self, other: Self) -> (Self, Self);
    /// Exclusive or.
    unsafe fn xor(self, other: Self) -> Self;
    /// One round of the cipher (FIPS 197 §5.1) with this round key.
    unsafe fn encrypt_round(self, key: Self) -> Self;
    /// The last round of the cipher.
    unsafe fn encrypt_last(self, key: Self) -> Self;
    /// One round of the equivalent inverse cipher (FIPS 197 §5.3.5).
    unsafe fn decrypt_round(self, key: Self) -> Self;
    /// The last round of the inverse cipher.
    unsafe fn decrypt_last(self, key: Self) -> Self;
    /// `before` in the first place and all blocks but the last one place up.
    unsafe fn shifted_in(self, before: u128) -> Self;
    /// Adds the 64-bit halves of every block, each without a carry into the other.
    unsafe fn add_halves(self, other: Self) -> Self;
    /// Turns every block's bytes around.
    unsafe fn reversed(self) -> Self;
    /// The same value, computed in the order in which the source says so. Compilers like to run one register through many
    /// rounds before the next, and the processor does not look far enough ahead to overlap them then.
    unsafe fn pinned(self) -> Self;
}

/// The order in which a shuffle turns 16 bytes around.
const REVERSED: u128 = 0x0001_0203_0405_0607_0809_0A0B_0C0D_0E0F;

/// One block; needs `aes`, `avx`.
#[derive(Clone, Copy)]
pub(super) struct Xmm(__m128i);

/// Two blocks; needs `vaes`, `avx2`.
#[derive(Clone, Copy)]
pub(super) struct Ymm(__m256i);

/// Four blocks; needs `vaes`, `avx512f`, `avx512bw`.
#[derive(Clone, Copy)]
pub(super) struct Zmm(__m512i);

/// Functions that are one instruction each.
macro_rules! instructions {
    ($($name:ident($($argument:ident),*) = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        unsafe fn $name(self $(, $argument: Self)*) -> Self {
            // SAFETY: the caller vouches for the instruction.
            Self(unsafe { $intrinsic(self.0 $(, $argument.0)*) })
        }
    )*};
}

impl Vector for Xmm {
    const BLOCKS: usize = 1;

    instructions! {
        xor(other) = _mm_xor_si128;
        encrypt_round(key) = _mm_aesenc_si128;
        encrypt_last(key) = _mm_aesenclast_si128;
        decrypt_round(key) = _mm_aesdec_si128;
        decrypt_last(key) = _mm_aesdeclast_si128;
        add_halves(other) = _mm_add_epi64;
    }

    #[inline(always)]
    unsafe fn splat(block: u128) -> Self {
        // SAFETY: the caller vouches for the instruction; the block is on the stack.
        Self(unsafe { _mm_loadu_si128((&raw const block).cast()) })
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the caller vouches for the instruction and for 16 bytes.
        Self(unsafe { _mm_loadu_si128(from.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller vouches for the instruction and for 16 bytes.
        unsafe { _mm_storeu_si128(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn gather(from: &[*const u8], at: usize) -> Self {
        // SAFETY: the caller vouches for 16 bytes `at` bytes past the address.
        unsafe { Self::load(from[0].wrapping_add(at)) }
    }

    #[inline(always)]
    unsafe fn scatter(self, to: &[*mut u8], at: usize) {
        // SAFETY: as in `gather`.
        unsafe { self.store(to[0].wrapping_add(at)) }
    }

    #[inline(always)]
    unsafe fn parted(self, other: Self) -> (Self, Self) {
        (self, other)
    }

    #[inline(always)]
    unsafe fn shifted_in(self, before: u128) -> Self {
        // SAFETY: the caller vouches for the instruction.
        unsafe { Self::splat(before) }
    }

    #[inline(always)]
    unsafe fn reversed(self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { Self(_mm_shuffle_epi8(self.0, Self::splat(REVERSED).0)) }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    unsafe fn pinned(mut self) -> Self {
        // SAFETY: no instruction at all; the register holds what it held.
        unsafe { asm!("/* {0} */", inout(xmm_reg) self.0, options(nomem, nostack, preserves_flags)) };
        self
    }
}

impl Vector for Ymm {
    const BLOCKS: usize = 2;

    instructions! {
        xor(other) = _mm256_xor_si256;
        encrypt_round(key) = _mm256_aesenc_epi128;
        encrypt_last(key) = _mm256_aesenclast_epi128;
        decrypt_round(key) = _mm256_aesdec_epi128;
        decrypt_last(key) = _mm256_aesdeclast_epi128;
        add_halves(other) = _mm256_add_epi64;
    }

    #[inline(always)]
    unsafe fn splat(block: u128) -> Self {
        // SAFETY: the caller vouches for the instructions.
        Self(unsafe { _mm256_broadcastsi128_si256(Xmm::splat(block).0) })
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the caller vouches for the instruction and for 32 bytes.
        Self(unsafe { _mm256_loadu_si256(from.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller vouches for the instruction and for 32 bytes.
        unsafe { _mm256_storeu_si256(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn gather(from: &[*const u8], at: usize) -> Self {
        // SAFETY: the caller vouches for 16 bytes `at` bytes past each of the two addresses.
        unsafe {
            let low = Xmm::load(from[0].wrapping_add(at)).0;
            let high = Xmm::load(from[1].wrapping_add(at)).0;
            Self(_mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high))
        }
    }

    #[inline(always)]
    unsafe fn scatter(self, to: &[*mut u8], at: usize) {
        // SAFETY: as in `gather`.
        unsafe {
            Xmm(_mm256_castsi256_si128(self.0)).store(to[0].wrapping_add(at));
            Xmm(_mm256_extracti128_si256::<1>(self.0)).store(to[1].wrapping_add(at));
        }
    }

    #[inline(always)]
    unsafe fn parted(self, other: Self) -> (Self, Self) {
        // SAFETY: the caller vouches for the instructions.
        unsafe {
            (
                Self(_mm256_permute2x128_si256::<0x20>(self.0, other.0)),
                Self(_mm256_permute2x128_si256::<0x31>(self.0, other.0)),
            )
        }
    }

    #[inline(always)]
    unsafe fn shifted_in(self, before: u128) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe {
            let before = _mm256_castsi128_si256(Xmm::splat(before).0);
            Self(_mm256_permute2x128_si256::<0x20>(before, self.0))
        }
    }

    #[inline(always)]
    unsafe fn reversed(self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { Self(_mm256_shuffle_epi8(self.0, Self::splat(REVERSED).0)) }
    }

    #[inline]
    #[target_feature(enable = "avx")]
    unsafe fn pinned(mut self) -> Self {
        // SAFETY: no instruction at all; the register holds what it held.
        unsafe { asm!("/* {0} */", inout(ymm_reg) self.0, options(nomem, nostack, preserves_flags)) };
        self
    }
}

impl Vector for Zmm {
    const BLOCKS: usize = 4;
    const REGISTERS: usize = 32;

    instructions! {
        xor(other) = _mm512_xor_si512;
        encrypt_round(key) = _mm512_aesenc_epi128;
        encrypt_last(key) = _mm512_aesenclast_epi128;
        decrypt_round(key) = _mm512_aesdec_epi128;
        decrypt_last(key) = _mm512_aesdeclast_epi128;
        add_halves(other) = _mm512_add_epi64;
    }

    #[inline(always)]
    unsafe fn splat(block: u128) -> Self {
        // SAFETY: the caller vouches for the instructions.
        Self(unsafe { _mm512_broadcast_i32x4(Xmm::splat(block).0) })
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the caller vouches for the instruction and for 64 bytes.
        Self(unsafe { _mm512_loadu_si512(from.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller vouches for the instruction and for 64 bytes.
        unsafe { _mm512_storeu_si512(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn gather(from: &[*const u8], at: usize) -> Self {
        // SAFETY: the caller vouches for 16 bytes `at` bytes past each of the four addresses.
        unsafe {
            let (low, high) = (Ymm::gather(from, at).0, Ymm::gather(&from[2..], at).0);
            Self(_mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high))
        }
    }

    #[inline(always)]
    unsafe fn scatter(self, to: &[*mut u8], at: usize) {
        // SAFETY: as in `gather`.
        unsafe {
            Xmm(_mm512_castsi512_si128(self.0)).store(to[0].wrapping_add(at));
            Xmm(_mm512_extracti32x4_epi32::<1>(self.0)).store(to[1].wrapping_add(at));
            Xmm(_mm512_extracti32x4_epi32::<2>(self.0)).store(to[2].wrapping_add(at));
            Xmm(_mm512_extracti32x4_epi32::<3>(self.0)).store(to[3].wrapping_add(at));
        }
    }

    #[inline(always)]
    unsafe fn parted(self, other: Self) -> (Self, Self) {
        // SAFETY: the caller vouches for the instructions.
        unsafe {
            (
                Self(_mm512_shuffle_i64x2::<0x88>(self.0, other.0)),
                Self(_mm512_shuffle_i64x2::<0xDD>(self.0, other.0)),
            )
        }
    }

    #[inline(always)]
    unsafe fn shifted_in(self, before: u128) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { Self(_mm512_alignr_epi64::<6>(self.0, Self::splat(before).0)) }
    }

    #[inline(always)]
    unsafe fn reversed(self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { Self(_mm512_shuffle_epi8(self.0, Self::splat(REVERSED).0)) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn pinned(mut self) -> Self {
        // SAFETY: no instruction at all; the register holds what it held.
        unsafe { asm!("/* {0} */", inout(zmm_reg) self.0, options(nomem, nostack, preserves_flags)) };
        self
    }
}
