//! Exit codes, the same for every command.

/// How a run ended, as scripts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Refused or failed here: permissions, files, an answer the user withheld.
    Failed = 1,
    /// The command line was wrong. Clap uses the same code.
    Usage = 2,
    /// The key, object or endpoint does not exist.
    NotFound = 3,
    /// The other side could not be reached, or refused us.
    OtherSide = 4,
    /// Wrong key, tampering or corruption.
    Integrity = 5,
}

impl Exit {
    /// The one that says more where several files ended differently: what is damaged, then what cannot be asked, then what is
    /// not there.
    pub(crate) fn worse(self, other: Self) -> Self {
        if other.code() > self.code() { other } else { self }
    }

    /// The number the process ends with.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn codes_are_the_documented_ones() {
        let table = [
            (Exit::Done, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::NotFound, 3),
            (Exit::OtherSide, 4),
            (Exit::Integrity, 5),
        ];
        for (exit, code) in table {
            assert_eq!(exit.code(), code);
        }
    }
}
