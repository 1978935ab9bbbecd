//! Which code runs: chosen once by what the processor has, or by name for tests and comparisons.

#[cfg(target_arch = "x86_64")]
use crate::simd::InstructionSet;

/// A way to run AES. All give the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backend {
    /// No instructions of ours: the `aes` crate, which takes a processor's AES instructions where it knows them and a
    /// constant-time bit-sliced program elsewhere. One chain at a time.
    Portable,
    /// x86-64 with AES-NI and AVX; ten chains at a time.
    AesNi,
    /// x86-64 with VAES in 256-bit registers (AMD since Zen 3, Intel since Alder Lake); twenty-four chains at a time.
    Vaes256,
    /// x86-64 with VAES in 512-bit registers (AMD since Zen 4, Intel since Ice Lake); thirty-two chains at a time.
    Vaes512,
}

impl Backend {
    /// Every back end, the fastest last.
    pub const ALL: [Self; 4] = [Self::Portable, Self::AesNi, Self::Vaes256, Self::Vaes512];

    /// Whether this processor can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            self.instruction_set().is_none_or(InstructionSet::is_here)
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            self == Self::Portable
        }
    }

    /// What keys run on unless told otherwise: the fastest this processor has.
    #[must_use]
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            match InstructionSet::widest() {
                None => Self::Portable,
                Some(set) => set.into(),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            Self::Portable
        }
    }

    /// Its instructions; the portable back end has none.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn instruction_set(self) -> Option<InstructionSet> {
        match self {
            Self::Portable => None,
            Self::AesNi => Some(InstructionSet::AesNi),
            Self::Vaes256 => Some(InstructionSet::Vaes256),
            Self::Vaes512 => Some(InstructionSet::Vaes512),
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl From<InstructionSet> for Backend {
    fn from(set: InstructionSet) -> Self {
        match set {
            InstructionSet::AesNi => Self::AesNi,
            InstructionSet::Vaes256 => Self::Vaes256,
            InstructionSet::Vaes512 => Self::Vaes512,
        }
    }
}
