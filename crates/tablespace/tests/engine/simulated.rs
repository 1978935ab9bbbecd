//! A disk in memory that fails, stops or loses what was not synced, at any step.
//!
//! It keeps for every file what is durable and, in order, what has been written since. A power cut keeps any of the sectors
//! written since the last sync, in any combination, and of the names given since the last sync of their folder the first
//! few. A sync that fails loses what it was to make durable for good, as Linux does: the next sync does not try again.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use strongroom_tablespace::disk::{Access, Bulk, Disk, DiskFile, SECTOR_BYTES};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process ends before the step.
    Stop,
    /// The process ends in the middle of the step, if it is a write: some of its sectors are written.
    StopHalfway,
    /// The step fails, and the process goes on.
    Fail,
}

/// What a machine that stopped comes back with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Everything: only the process had ended.
    Nothing,
    /// What was synced.
    Everything,
    /// What was synced and some of the rest, drawn from this number.
    Some(u64),
}

#[derive(Clone)]
pub(crate) struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: Vec<FileState>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    pending_names: Vec<(NameChange, Vec<PathBuf>)>,
    steps: usize,
    fault: Option<(usize, Fault)>,
    is_stopped: bool,
    has_fired: bool,
}

#[derive(Default, Clone)]
struct FileState {
    durable: Vec<u8>,
    cached: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Clone)]
enum NameChange {
    Set(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

/// Numbers that look random and are the same each time (splitmix64).
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn flip(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

impl SimulatedDisk {
    /// A disk with these files, all durable.
    pub(crate) fn new<P: Into<PathBuf>>(files: impl IntoIterator<Item = (P, Vec<u8>)>) -> Self {
        let mut state = State::default();
        for (path, bytes) in files {
            state.names.insert(path.into(), state.files.len());
            state.files.push(FileState { durable: bytes.clone(), cached: bytes, pending: Vec::new() });
        }
        state.durable_names = state.names.clone();
        Self(Arc::new(Mutex::new(state)))
    }

    /// The same, and its step `at` (from 1) goes wrong.
    pub(crate) fn with_fault(self, at: usize, fault: Fault) -> Self {
        self.state().fault = Some((at, fault));
        self
    }

    /// Whether the fault was met.
    pub(crate) fn has_failed(&self) -> bool {
        self.state().has_fired
    }

    /// Steps done so far.
    pub(crate) fn steps(&self) -> usize {
        self.state().steps
    }

    /// The disk after the machine has come back.
    pub(crate) fn reboot(&self, loss: Loss) -> Self {
        let state = self.state();
        if loss == Loss::Nothing {
            // Only the process ended: what was not synced is there, and can still be lost.
            return Self(Arc::new(Mutex::new(State {
                files: state.files.clone(),
                names: state.names.clone(),
                durable_names: state.durable_names.clone(),
                pending_names: state.pending_names.clone(),
                ..State::default()
            })));
        }
        let mut draw = Draw(match loss {
            Loss::Some(seed) => seed,
            _ => 0,
        });
        let mut names = state.durable_names.clone();
        let kept = match loss {
            Loss::Nothing | Loss::Everything => 0,
            Loss::Some(_) => draw.next() as usize % (state.pending_names.len() + 1),
        };
        for (change, _) in &state.pending_names[..kept] {
            apply_name(&mut names, change);
        }
        let contents = state.files.iter().map(|file| match loss {
            Loss::Nothing | Loss::Everything => file.durable.clone(),
            Loss::Some(_) => file.torn(&mut draw),
        });
        let contents: Vec<_> = contents.collect();
        Self::new(names.into_iter().map(|(path, file)| (path, contents[file].clone())))
    }

    /// The names of all files.
    pub(crate) fn names(&self) -> Vec<PathBuf> {
        self.state().names.keys().cloned().collect()
    }

    /// What is in a file.
    pub(crate) fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        Some(state.files[*state.names.get(path)?].cached.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Counts a step. `Ok(true)` means that half of it is done before the process ends.
    fn step(&self) -> io::Result<bool> {
        let mut state = self.state();
        if state.is_stopped {
            return Err(stopped());
        }
        state.steps += 1;
        match state.fault {
            Some((at, fault)) if at == state.steps => {
                state.has_fired = true;
                state.is_stopped = fault != Fault::Fail;
                match fault {
                    Fault::StopHalfway => Ok(true),
                    Fault::Stop => Err(stopped()),
                    Fault::Fail => Err(io::Error::from_raw_os_error(5)),
                }
            }
            _ => Ok(false),
        }
    }

    fn alive(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state();
        if state.is_stopped { Err(stopped()) } else { Ok(state) }
    }

    fn change_name(&self, change: NameChange, folders: Vec<PathBuf>) -> io::Result<()> {
        // A name changes at once or not at all.
        if self.step()? {
            return Err(stopped());
        }
        let mut state = self.alive()?;
        apply_name(&mut state.names, &change);
        state.pending_names.push((change, folders));
        Ok(())
    }
}

fn stopped() -> io::Error {
    io::Error::other("the process has ended")
}

fn apply_name(names: &mut BTreeMap<PathBuf, usize>, change: &NameChange) {
    match change {
        NameChange::Set(path, file) => {
            names.insert(path.clone(), *file);
        }
        NameChange::Rename(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        NameChange::Remove(path) => {
            names.remove(path);
        }
    }
}

fn apply(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if bytes.len() < offset + data.len() {
        bytes.resize(offset + data.len(), 0);
    }
    bytes[offset..offset + data.len()].copy_from_slice(data);
}

impl FileState {
    fn change(&mut self, change: Change) {
        match &change {
            Change::Write(offset, data) => apply(&mut self.cached, *offset, data),
            Change::Length(len) => self.cached.resize(*len, 0),
        }
        self.pending.push(change);
    }

    /// What a power cut may leave: each sector of each write kept or not.
    fn torn(&self, draw: &mut Draw) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for change in &self.pending {
            match change {
                Change::Length(len) => {
                    if draw.flip() {
                        bytes.resize(*len, 0);
                    }
                }
                Change::Write(offset, data) => {
                    let (mut at, end) = (*offset, offset + data.len());
                    while at < end {
                        let next = ((at / SECTOR_BYTES + 1) * SECTOR_BYTES).min(end);
                        if draw.flip() {
                            apply(&mut bytes, at, &data[at - offset..next - offset]);
                        }
                        at = next;
                    }
                }
            }
        }
        bytes
    }

    fn make_durable(&mut self) {
        self.durable = self.cached.clone();
        self.pending.clear();
    }
}

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path, _: Access) -> io::Result<Box<dyn DiskFile>> {
        let file = self.alive()?.names.get(path).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(SimulatedFile { disk: self.clone(), file }))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = {
            let mut state = self.alive()?;
            if state.names.contains_key(path) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            state.files.push(FileState::default());
            state.files.len() - 1
        };
        self.change_name(NameChange::Set(path.into(), file), vec![folder(path)])?;
        Ok(Box::new(SimulatedFile { disk: self.clone(), file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.alive()?.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        self.change_name(NameChange::Rename(from.into(), to.into()), vec![folder(from), folder(to)])
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.exists(to)? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.alive()?.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        self.change_name(NameChange::Remove(path.into()), vec![folder(path)])
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.alive()?.names.contains_key(path))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let path = if path == Path::new(".") { Path::new("") } else { path };
        if self.step()? {
            return Err(stopped());
        }
        let mut state = self.alive()?;
        // Names become durable in order, so that everything before the last one of this folder does as well.
        let last =
            state.pending_names.iter().rposition(|(_, folders)| folders.iter().any(|folder| folder == path));
        if let Some(last) = last {
            let durable: Vec<_> = state.pending_names.drain(..=last).collect();
            for (change, _) in durable {
                apply_name(&mut state.durable_names, &change);
            }
        }
        Ok(())
    }

    fn begin_bulk(&self, folders: &[&Path]) -> io::Result<Box<dyn Bulk>> {
        drop(self.alive()?);
        let folders = folders.iter().map(|&folder| folder.to_owned()).collect();
        Ok(Box::new(SimulatedBulk { disk: self.clone(), folders }))
    }
}

fn folder(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}

/// Each folder is as a file system of its own: what is elsewhere is not synced.
struct SimulatedBulk {
    disk: SimulatedDisk,
    folders: Vec<PathBuf>,
}

impl Bulk for SimulatedBulk {
    fn sync(&self) -> io::Result<()> {
        let halfway = self.disk.step();
        let mut state = self.disk.state();
        let is_below = |path: &Path| self.folders.iter().any(|folder| path.starts_with(folder));
        let mut files: Vec<usize> =
            state.names.iter().filter(|(path, _)| is_below(path)).map(|(_, file)| *file).collect();
        files.sort_unstable();
        if halfway.as_ref().is_err_and(|error| error.raw_os_error().is_some()) {
            for &file in &files {
                state.files[file].pending.clear();
            }
        }
        let halfway = halfway?;
        if halfway {
            // The half that came first.
            files.truncate(files.len() / 2);
        }
        files.into_iter().for_each(|file| state.files[file].make_durable());
        if halfway { Err(stopped()) } else { Ok(()) }
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    file: usize,
}

impl DiskFile for SimulatedFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.alive()?.files[self.file].cached.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.alive()?;
        let bytes = &state.files[self.file].cached;
        let start = bytes.len().min(offset as usize);
        let count = buffer.len().min(bytes.len() - start);
        buffer[..count].copy_from_slice(&bytes[start..start + count]);
        Ok(count)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let halfway = self.disk.step()?;
        let mut state = self.disk.state();
        let written = if halfway { &data[..data.len() / 2 / SECTOR_BYTES * SECTOR_BYTES] } else { data };
        state.files[self.file].change(Change::Write(offset as usize, written.to_vec()));
        if halfway { Err(stopped()) } else { Ok(()) }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.disk.step()? {
            return Err(stopped());
        }
        self.disk.alive()?.files[self.file].change(Change::Length(len as usize));
        Ok(())
    }

    fn stored(&self, offset: u64) -> io::Result<Option<Range<u64>>> {
        let size = self.size()?;
        Ok((offset < size).then_some(offset..size))
    }

    fn take_after(&self, path: &Path) -> io::Result<()> {
        if self.disk.step()? {
            return Err(stopped());
        }
        self.disk.alive()?.names.get(path).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync(&self) -> io::Result<()> {
        let halfway = self.disk.step();
        let mut state = self.disk.state();
        match halfway {
            Ok(false) => state.files[self.file].make_durable(),
            Ok(true) => return Err(stopped()),
            Err(error) => {
                if error.raw_os_error().is_some() {
                    state.files[self.file].pending.clear();
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

/// How many ways of losing some of what was not synced are tried for each fault: two, or as many as `./soak` says.
fn draws() -> u64 {
    std::env::var("STRONGROOM_SOAK_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2)
}

/// Runs `work` once for every step it takes and every way in which that step can go wrong, and hands every state that the
/// machine may come back in to `check`, with whether `work` said that it was done. Returns how many states there were.
pub(crate) fn every_fault(
    make: impl Fn() -> SimulatedDisk,
    mut work: impl FnMut(&SimulatedDisk) -> Result<(), String>,
    mut check: impl FnMut(&SimulatedDisk, bool, &str),
) -> usize {
    let whole = make();
    work(&whole).expect("without a fault it works");
    let steps = whole.steps();
    assert!(steps > 0, "it changes nothing");
    let mut states = 0;
    for at in 1..=steps {
        for fault in [Fault::Stop, Fault::StopHalfway, Fault::Fail] {
            let disk = make().with_fault(at, fault);
            let done = work(&disk);
            assert!(disk.has_failed(), "step {at} was not reached");
            let draws = (0..draws()).map(|draw| Loss::Some((at as u64) << 32 | draw));
            for loss in [Loss::Nothing, Loss::Everything].into_iter().chain(draws) {
                let story = format!("step {at} of {steps}: {fault:?}, then lost: {loss:?}; it said {done:?}");
                if done.is_ok() {
                    // A step that cleans up may fail in silence; nothing may be lost for it.
                    assert_eq!(fault, Fault::Fail, "{story}");
                }
                check(&disk.reboot(loss), done.is_ok(), &story);
                states += 1;
            }
        }
    }
    states
}
