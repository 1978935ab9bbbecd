//! Creates under fire: PyKMIP's client makes keys over several connections and keeps a ledger of what the server has
//! acknowledged, while the test kills the server. `python/ledger.py` says what is judged.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::{Client, Installation, ScriptRun, client_script, installation, program};
use crate::Unavailable;
use crate::folder::Scratch;
use crate::process::{Launch, Process, wait_until};

const END_LIMIT: Duration = Duration::from_secs(120);

/// How a refused Create is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There must be none.
    Never,
    /// The key must be absent.
    Absent,
    /// The key may be there, complete, as when an answer is lost.
    Open,
}

impl Refused {
    fn word(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Absent => "absent",
            Self::Open => "open",
        }
    }
}

/// A ledger, and the clients that write it.
pub struct Ledger {
    installation: Installation,
    clients: Option<Process>,
    scratch: Scratch,
}

impl Ledger {
    /// An empty ledger.
    ///
    /// # Errors
    /// Only when PyKMIP cannot be had.
    pub fn new() -> Result<Self, Unavailable> {
        let ledger = Self { installation: installation()?, clients: None, scratch: Scratch::new("ledger") };
        fs::write(ledger.file(), "").expect("a scratch folder takes a file");
        Ok(ledger)
    }

    /// Begins to create `count` keys over `connections` connections. A broken connection ends its share.
    ///
    /// # Panics
    /// When Python cannot be run.
    pub fn begin(&mut self, client: &Client, connections: usize, count: usize) {
        let started = Launch::new(&self.installation.python, self.scratch.path().join("output"))
            .args(["-W", "ignore"])
            .arg(self.program())
            .arg("create")
            .args(client.args())
            .arg(self.file())
            .arg(connections.to_string())
            .arg(count.to_string())
            .start();
        match started {
            Ok(process) => self.clients = Some(process),
            Err(error) => panic!("{} cannot be run: {error}", self.installation.python.display()),
        }
    }

    /// Waits until at least `count` keys have been acknowledged in all.
    ///
    /// # Panics
    /// With what the clients printed, when they end before that or two minutes pass.
    pub fn wait_for_acknowledged(&mut self, count: usize) {
        let reached = wait_until(END_LIMIT, || {
            let ended = self.clients.as_mut().is_none_or(|clients| clients.ended().is_some());
            match self.acknowledged() {
                seen if seen >= count => Some(true),
                _ => ended.then_some(false),
            }
        });
        let output = self.clients.as_ref().map(Process::log).unwrap_or_default();
        assert!(reached == Some(true), "only {} keys were acknowledged\n{output}", self.acknowledged());
    }

    /// Waits until the clients have ended: all keys made, or every connection broken.
    ///
    /// # Panics
    /// With what they printed, when they fail or do not end within two minutes.
    pub fn wait(&mut self) {
        if let Some(mut clients) = self.clients.take() {
            let status = clients.wait(END_LIMIT);
            assert!(status.is_some_and(|status| status.success()), "{status:?}\n{}", clients.log());
        }
    }

    /// How many keys the server has acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        fs::read_to_string(self.file())
            .map(|text| text.lines().filter(|line| line.starts_with("ack ")).count())
            .unwrap_or_default()
    }

    /// The identifiers of the acknowledged keys.
    #[must_use]
    pub fn identifiers(&self) -> Vec<String> {
        self.lines("ack ").into_iter().filter_map(|line| line.split(' ').nth(2).map(str::to_owned)).collect()
    }

    /// What the server said where it refused to make a key, one line each.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        self.lines("refused ")
    }

    fn lines(&self, kind: &str) -> Vec<String> {
        let text = fs::read_to_string(self.file()).unwrap_or_default();
        text.lines().filter(|line| line.starts_with(kind)).map(str::to_owned).collect()
    }

    /// Compares the ledger with what the server has now. The last line of the output counts.
    ///
    /// # Errors
    /// Only when PyKMIP cannot be had.
    pub fn verify(&self, client: &Client, refused: Refused) -> Result<ScriptRun, Unavailable> {
        let mut args: Vec<OsString> = vec!["verify".into()];
        args.extend(client.args());
        args.push(self.file().into());
        args.push(refused.word().into());
        client_script(&self.program(), args)
    }

    fn program(&self) -> PathBuf {
        program(&self.scratch, "ledger.py", include_str!("../../python/ledger.py"))
    }

    fn file(&self) -> PathBuf {
        self.scratch.path().join("ledger")
    }
}
