//! Hosts written in C load the two libraries as mysqld does, plainly and under valgrind.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use strongroom_testkit::vault::Vault;
use strongroom_testkit::{Unavailable, need, plugin, skip};

/// Compiles a host, or says that there is no compiler.
fn compile(name: &str, into: &Path) -> Result<PathBuf, Unavailable> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/c_host");
    let program = into.join(name);
    let output = Command::new("cc")
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-g", "-pthread", "-o"])
        .arg(&program)
        .arg(sources.join(format!("{name}.c")))
        .arg("-ldl")
        .output()
        .map_err(|error| Unavailable::new("a C compiler", format!("cc cannot be run: {error}")))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(program)
}

/// Runs a host, which must find everything as it should be.
fn run(mut command: Command, program: &Path, arguments: &[&OsStr]) {
    let output = command.arg(program).args(arguments).output().expect("the host runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success() && text(&output.stdout).contains("all as it should be"),
        "{}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
}

fn plainly() -> Command {
    Command::new("env")
}

/// Under valgrind, where every wrong access and every byte that is lost for good is a failure.
fn under_valgrind() -> Option<Command> {
    Command::new("valgrind").arg("--version").output().ok()?;
    let mut command = Command::new("valgrind");
    command.args(["--quiet", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite"]);
    command.arg("--show-leak-kinds=definite");
    Some(command)
}

struct Rig {
    _vault: Vault,
    program: PathBuf,
    arguments: Vec<PathBuf>,
    _folders: (tempfile::TempDir, strongroom_testkit::built::PluginFolder),
}

impl Rig {
    fn component() -> Result<Self, Unavailable> {
        let scratch = tempfile::tempdir().unwrap();
        let program = compile("component", scratch.path())?;
        let (vault, folder) = (Vault::start(), plugin("component_keyring_kmip"));
        let configuration =
            format!("{{\"kmip_configuration_directory\": {:?}}}", vault.enrol("db1").display().to_string());
        std::fs::write(folder.path().join("component_keyring_kmip.cnf"), configuration).unwrap();
        let arguments = vec![folder.path().join("component_keyring_kmip.so"), folder.path().to_path_buf()];
        Ok(Self { _vault: vault, program, arguments, _folders: (scratch, folder) })
    }

    fn plugin() -> Result<Self, Unavailable> {
        let scratch = tempfile::tempdir().unwrap();
        let program = compile("plugin", scratch.path())?;
        let (vault, folder) = (Vault::start(), plugin("keyring_okv"));
        let arguments = vec![folder.path().join("keyring_okv.so"), vault.enrol("db1"), vault.enrol("db2")];
        Ok(Self { _vault: vault, program, arguments, _folders: (scratch, folder) })
    }

    fn run(&self, command: Command) {
        let arguments: Vec<&OsStr> = self.arguments.iter().map(|path| path.as_os_str()).collect();
        run(command, &self.program, &arguments);
    }
}

#[test]
fn the_component_serves_a_host_written_in_c() {
    need!(Rig::component()).run(plainly());
}

#[test]
fn the_plugin_serves_a_host_written_in_c() {
    need!(Rig::plugin()).run(plainly());
}

#[test]
fn the_component_is_clean_under_valgrind() {
    let Some(valgrind) = under_valgrind() else { skip!("valgrind is not installed") };
    need!(Rig::component()).run(valgrind);
}

#[test]
fn the_plugin_is_clean_under_valgrind() {
    let Some(valgrind) = under_valgrind() else { skip!("valgrind is not installed") };
    need!(Rig::plugin()).run(valgrind);
}
