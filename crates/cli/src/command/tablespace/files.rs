//! The files that the command line means, and where their results go.

use std::fs;
use std::path::{Path, PathBuf};

use strongroom_tablespace::disk::in_use;
use strongroom_tablespace::disk::walk::{self, DataDirectory, FileKind, Found, Server};
use strongroom_tablespace::disk::{SystemDisk, folder_of};
use strongroom_tablespace::file::Source;
use strongroom_tablespace::journal::Journal;
use strongroom_tablespace::page::Policy;
use strongroom_tablespace::rotate::check_shutdown;

use super::Fault;
use crate::args::FilesArgs;
use crate::error::Error;
use crate::output::Output;

/// What was found.
pub(super) struct Files {
    /// All of InnoDB's files.
    pub(super) all: Vec<Found>,
    /// The data directories that they are in, whether named or around a file that was.
    pub(super) data_directories: Vec<DataDirectory>,
    /// The folder of the first path, or the path itself if it is one: where a journal is kept.
    pub(super) folder: PathBuf,
    /// The folders that were named.
    roots: Vec<PathBuf>,
    /// The files that were.
    named: Vec<PathBuf>,
}

/// Finds the files, and refuses those that a server has open.
///
/// # Errors
/// [`Error::Read`], [`Fault::InUse`], [`Fault::Nothing`].
pub(super) fn find(args: &FilesArgs, output: Output) -> Result<Files, Error> {
    let mut paths = Vec::with_capacity(args.paths.len());
    for path in &args.paths {
        // A symbolic link stays one: what it leads to is worked on.
        paths.push(fs::canonicalize(path).map_err(|source| Error::Read { path: path.clone(), source })?);
    }
    let walk = walk::walk(&paths).map_err(|(path, source)| Error::Read { path, source })?;
    for lost in &walk.lost_links {
        output.warn(format!("{} is named by a link of the data directory and is not there", lost.display()));
    }
    if !walk.drafts.is_empty() {
        output.note(format!(
            "{} left by a run that was killed; the next one that writes the same file removes it.",
            super::counted(walk.drafts.len(), "unfinished file")
        ));
    }
    if walk.files.is_empty() {
        return Err(Fault::Nothing.into());
    }
    if !args.consistent_copy {
        let paths: Vec<PathBuf> = walk.files.iter().map(|found| found.path.clone()).collect();
        let found =
            in_use::find(&paths).map_err(|source| Error::Read { path: args.paths[0].clone(), source })?;
        if let Some(found) = found {
            return Err(Fault::InUse(found).into());
        }
    }
    let mut data_directories = walk.data_directories;
    // A schema may be a link to a folder elsewhere, so the way that leads to a file is looked at too.
    let as_named = args.paths.iter().filter_map(|path| std::path::absolute(path).ok());
    let named: Vec<PathBuf> = paths.iter().cloned().chain(as_named).collect();
    for path in named.iter().filter(|path| !path.is_dir()) {
        for folder in [folder_of(path), folder_of(folder_of(path))] {
            let Ok(folder) = fs::canonicalize(folder) else { continue };
            let is_known = data_directories.iter().any(|known| known.path == folder);
            if !is_known && walk::is_data_directory(&folder) {
                data_directories.push(walk::data_directory(&folder));
            }
        }
    }
    let first = &paths[0];
    let folder = match data_directories.first() {
        Some(directory) => directory.path.clone(),
        None if first.is_dir() => first.clone(),
        None => folder_of(first).to_owned(),
    };
    let (roots, named) = paths.into_iter().partition(|path| path.is_dir());
    Ok(Files { all: walk.files, data_directories, folder, roots, named })
}

impl Files {
    /// The tablespaces among them that hold something of a user's.
    pub(super) fn spaces(&self) -> impl Iterator<Item = &Found> {
        let is_space = |found: &&Found| {
            !matches!(found.kind, FileKind::Redo | FileKind::Doublewrite | FileKind::Temporary)
        };
        self.all.iter().filter(is_space)
    }

    /// The directories that the command line names.
    pub(super) fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    /// Whether the command line names this very file, and not only a directory that it is in.
    pub(super) fn is_named(&self, path: &Path) -> bool {
        self.named.iter().any(|named| named == path)
    }

    /// Opens a file that is found; nothing for one that is new and empty, or a later file of a system tablespace.
    ///
    /// # Errors
    /// [`Fault::File`].
    pub(super) fn open(found: &Found, checksums: Policy) -> Result<Option<Source>, Fault> {
        match Source::open(&SystemDisk, &found.path, found.kind, checksums) {
            Ok(source) => Ok(Some(source)),
            Err(fault) if Source::is_passed_over(found.kind, &fault) => Ok(None),
            Err(fault) => Err(Fault::File(found.path.clone(), fault)),
        }
    }

    /// The same, to look at only: later files of a system tablespace as well.
    ///
    /// # Errors
    /// [`Fault::File`].
    pub(super) fn open_to_read(found: &Found, checksums: Policy) -> Result<Option<Source>, Fault> {
        let later = match found.kind {
            FileKind::System => Source::open_later(&SystemDisk, &found.path, checksums),
            _ => Ok(None),
        };
        match later.map_err(|fault| Fault::File(found.path.clone(), fault))? {
            None => Self::open(found, checksums),
            later => Ok(later),
        }
    }

    /// The bytes of all tablespaces.
    pub(super) fn bytes(&self) -> u64 {
        self.spaces().filter_map(|found| fs::metadata(&found.path).ok()).map(|about| about.len()).sum()
    }

    /// Refuses to finish a change to files that a server has open: a journal may name others than the command line.
    ///
    /// # Errors
    /// [`Fault::InUse`], [`Fault::Journal`], [`Error::Read`].
    pub(super) fn check_journal(&self, args: &FilesArgs) -> Result<(), Error> {
        let journal = Journal::find(&SystemDisk, &self.folder).map_err(Fault::Journal)?;
        if args.consistent_copy {
            return Ok(());
        }
        let entries = journal.into_iter().flat_map(|journal| journal.entries);
        let paths: Vec<PathBuf> =
            entries.map(|entry| entry.path_from(&self.folder)).filter(|path| path.exists()).collect();
        let found = in_use::find(&paths)
            .map_err(|source| Error::Read { path: Journal::path_in(&self.folder), source })?;
        found.map_or(Ok(()), |found| Err(Fault::InUse(found).into()))
    }

    /// Refuses data directories of MySQL whose redo log a start would replay.
    ///
    /// # Errors
    /// [`Fault::Redo`], [`Error::Read`].
    pub(super) fn check_shutdown(&self) -> Result<(), Error> {
        for directory in self.data_directories.iter().filter(|directory| directory.server != Server::MariaDb)
        {
            // The redo log is looked for in all of the directory, also where only a file of it was named.
            let walk = walk::walk(std::slice::from_ref(&directory.path))
                .map_err(|(path, source)| Error::Read { path, source })?;
            let mut logs: Vec<Found> = walk.files;
            logs.extend(self.all.iter().cloned());
            check_shutdown(&SystemDisk, &directory.path, &logs).map_err(Fault::Redo)?;
        }
        Ok(())
    }

    /// Where the result for a file goes: `out` itself if it is the only file, else the same place below `out`.
    ///
    /// # Errors
    /// [`Error::Write`] where a folder cannot be made.
    pub(super) fn target(&self, found: &Path, out: &Path) -> Result<PathBuf, Error> {
        let is_alone = self.roots.is_empty() && self.all.len() == 1;
        if is_alone && !out.is_dir() {
            return Ok(out.to_owned());
        }
        let root = self.roots.iter().find(|root| found.starts_with(root));
        let relative = root.and_then(|root| found.strip_prefix(root).ok()).map(Path::to_owned);
        let relative = relative.unwrap_or_else(|| found.file_name().map(PathBuf::from).unwrap_or_default());
        let target = out.join(relative);
        let folder = folder_of(&target);
        fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        Ok(target)
    }
}
