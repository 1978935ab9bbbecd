//! What the workspace itself builds for users: the `strongroom` command and the plugins.
//!
//! `STRONGROOM_BIN` (a file) and `STRONGROOM_PLUGINS` (a folder of `.so` files) name other builds to test. Otherwise
//! `cargo build` brings the workspace's own up to date, once for each test run, in the target directory and
//! profile of the running test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::folder::{self, Scratch};

/// The `strongroom` program.
///
/// # Panics
/// When it does not build.
#[must_use]
pub fn strongroom() -> PathBuf {
    match std::env::var_os("STRONGROOM_BIN") {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => built_file("strongroom"),
    }
}

/// A folder for `--plugin-dir` that holds one plugin, or several.
#[derive(Debug)]
pub struct PluginFolder(Scratch);

impl PluginFolder {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Adds a copy of the shared library `file` under its own name.
    ///
    /// # Panics
    /// When it cannot be copied.
    pub fn add(&self, file: &Path) {
        let name = file.file_name().unwrap_or_default();
        copy(file, &self.path().join(name));
    }
}

/// A folder holding the plugin `name`, for example `strongroom_kmip_key_management`, as a database loads it: `name.so`
/// without the `lib` that Cargo puts before it.
///
/// # Panics
/// When it does not build.
#[must_use]
pub fn plugin(name: &str) -> PluginFolder {
    let library = format!("lib{name}.so");
    let file = match std::env::var_os("STRONGROOM_PLUGINS") {
        Some(folder) if !folder.is_empty() => {
            let folder = PathBuf::from(folder);
            let bare = folder.join(format!("{name}.so"));
            if bare.exists() { bare } else { folder.join(library) }
        }
        _ => built_file(&library),
    };
    let folder = PluginFolder(Scratch::new("plugins"));
    copy(&file, &folder.path().join(format!("{name}.so")));
    folder
}

fn copy(from: &Path, to: &Path) {
    if let Err(error) = fs::copy(from, to) {
        panic!("{} cannot be copied to {}: {error}", from.display(), to.display());
    }
}

fn built_file(name: &str) -> PathBuf {
    let folder = profile_folder();
    build(&folder);
    let file = folder.join(name);
    assert!(file.is_file(), "cargo build has not made {}", file.display());
    file
}

/// `target/debug` or its like: where the running test was built, without `deps`.
fn profile_folder() -> PathBuf {
    let program = std::env::current_exe().expect("a process knows its program");
    let folder = program.parent().unwrap_or(Path::new("."));
    if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder).to_path_buf()
    } else {
        folder.to_path_buf()
    }
}

/// Builds the workspace's default members, which are exactly what users run. Once for each run of nextest, which
/// has a process for every test, else once for each process.
fn build(profile_folder: &Path) {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let stamps = folder::root().join("built");
        let _lock = folder::lock(&stamps.join("lock"))
            .unwrap_or_else(|error| panic!("{}: {error}", stamps.display()));
        let run = std::env::var("NEXTEST_RUN_ID").ok();
        let stamp = stamps.join("run");
        if run.is_some() && fs::read_to_string(&stamp).ok() == run {
            return;
        }
        cargo_build(profile_folder);
        if let Some(run) = run {
            // Without the stamp the next process merely asks cargo again.
            let _ = fs::write(&stamp, run);
        }
    });
}

fn cargo_build(profile_folder: &Path) {
    let profile = match profile_folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--profile", profile]).current_dir(folder::workspace());
    // What cargo and the runner set for the test must not reach the build, or build scripts would run again.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let set_for_tests = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "NEXTEST", "__CARGO"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
            || matches!(&*text, "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE" | "LD_LIBRARY_PATH");
        if set_for_tests {
            command.env_remove(&name);
        }
    }
    command.env("CARGO_TARGET_DIR", profile_folder.parent().unwrap_or(profile_folder));
    let output = command.output().unwrap_or_else(|error| panic!("cargo cannot be run: {error}"));
    assert!(
        output.status.success(),
        "the workspace does not build:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
