//! Debian's MariaDB, unpacked under the testkit's folder without being installed.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::WHAT;
use crate::Unavailable;
use crate::apt::Apt;
use crate::process::run;

/// What is needed: the server and its messages, the stock plugins, and the backup program.
const PACKAGES: [&str; 3] = ["mariadb-server-core", "mariadb-server", "mariadb-backup"];
/// Of these, those whose dependencies are needed too. `mariadb-server` itself is scripts around the server.
const PROGRAM_PACKAGES: [&str; 2] = ["mariadb-server-core", "mariadb-backup"];

/// The folders of shared libraries below an unpacked system.
pub(super) fn library_folders(home: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for parent in ["usr/lib", "lib"] {
        let Ok(entries) = fs::read_dir(home.join(parent)) else { continue };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().ends_with("-linux-gnu") {
                folders.push(entry.path());
            }
        }
    }
    folders
}

/// The packages of this machine's own release, and, as long as a program misses a shared library, the libraries that the
/// packages so far depend on and the system lacks.
pub(super) fn for_this_machine(home: &Path) -> Result<(), Unavailable> {
    let apt = Apt::of_this_machine(WHAT, home)?;
    let mut unpacked: BTreeSet<String> = PACKAGES.iter().map(ToString::to_string).collect();
    apt.unpack(&unpacked)?;
    let programs = ["usr/sbin/mariadbd", "usr/bin/mariadb-backup"].map(|program| home.join(program));
    for _ in 0..5 {
        let mut missing = Vec::new();
        for program in &programs {
            missing.extend(missing_libraries(program, home)?);
        }
        if missing.is_empty() {
            apt.drop_lists();
            return Ok(());
        }
        let wanted: BTreeSet<String> = apt.missing_libraries(&unpacked)?;
        if wanted.is_empty() {
            return Err(Unavailable::new(WHAT, format!("no package provides {}", missing.join(", "))));
        }
        apt.unpack(&wanted)?;
        unpacked.extend(wanted);
    }
    Err(Unavailable::new(WHAT, "its shared libraries could not be completed in five rounds"))
}

fn missing_libraries(program: &Path, home: &Path) -> Result<Vec<String>, Unavailable> {
    let folders: Vec<_> = library_folders(home).iter().map(|p| p.to_string_lossy().into_owned()).collect();
    let output = run(Command::new("ldd").arg(program).env("LD_LIBRARY_PATH", folders.join(":")))
        .map_err(|why| Unavailable::new(WHAT, why))?;
    Ok(output
        .lines()
        .filter(|line| line.contains("not found"))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect())
}

/// The server's own regression tests: scripts and data, and programs with libraries of their own.
const SUITE_PACKAGES: [&str; 3] = ["mariadb-test-data", "mariadb-client", "mariadb-test"];
/// Libraries that those programs need and that nothing else above does.
const SUITE_LIBRARIES: [&str; 2] = ["mariadb-client-core", "libpcre2-posix3"];

/// The packages of another release, with the C library and all that is built on it: its programs cannot run with this
/// machine's. Each of them becomes a script of the same name that runs it through the unpacked loader.
pub(super) fn for_release(home: &Path, codename: &str) -> Result<(), Unavailable> {
    unpack_release(home, codename, &PROGRAM_PACKAGES, &PACKAGES)
}

/// The same with the server's own regression tests.
pub(super) fn with_suites(home: &Path, codename: &str) -> Result<(), Unavailable> {
    unpack_release(
        home,
        codename,
        &[PROGRAM_PACKAGES, SUITE_LIBRARIES].concat(),
        &[PACKAGES, SUITE_PACKAGES].concat(),
    )
}

fn unpack_release(home: &Path, codename: &str, complete: &[&str], bare: &[&str]) -> Result<(), Unavailable> {
    let apt = Apt::of_release(WHAT, home, codename)?;
    let mut wanted = apt.with_dependencies(complete)?;
    wanted.extend(bare.iter().map(ToString::to_string));
    apt.unpack(&wanted)?;
    apt.drop_lists();
    run_through_the_loader(home).map_err(|error| Unavailable::new(WHAT, error.to_string()))
}

fn run_through_the_loader(home: &Path) -> io::Result<()> {
    // Some releases have it in /lib64 only as a link to here that begins at the root.
    let loader = library_folders(home)
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(Iterator::flatten)
        .find(|entry| entry.file_name().to_string_lossy().starts_with("ld-linux"))
        .ok_or_else(|| io::Error::other("the packages have no loader"))?
        .path();
    let below = |path: &Path| format!("$home/{}", path.strip_prefix(home).unwrap_or(path).display());
    let libraries: Vec<String> = library_folders(home).iter().map(|folder| below(folder)).collect();
    for folder in ["usr/bin", "usr/sbin"] {
        for entry in fs::read_dir(home.join(folder))? {
            let program = entry?.path();
            if is_program(&program)? {
                wrap(&program, &below(&loader), &libraries.join(":"))?;
            }
        }
    }
    Ok(())
}

/// Whether this is a file in the format of programs, and not a script or a link.
fn is_program(path: &Path) -> io::Result<bool> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(false);
    }
    let mut magic = [0_u8; 4];
    Ok(fs::File::open(path)?.read(&mut magic)? == magic.len() && magic == *b"\x7fELF")
}

/// Moves `NAME` to `NAME.program` and puts a script in its place, which finds everything beside itself.
fn wrap(program: &Path, loader: &str, libraries: &str) -> io::Result<()> {
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    fs::rename(program, program.with_file_name(format!("{name}.program")))?;
    let script = format!(
        "#!/bin/sh\n\
         here=\"${{0%/*}}\"\n\
         home=\"$here/../..\"\n\
         exec \"{loader}\" --argv0 \"$0\" --library-path \"{libraries}\" \"$here/{name}.program\" \"$@\"\n"
    );
    fs::write(program, script)?;
    fs::set_permissions(program, fs::Permissions::from_mode(0o755))
}
