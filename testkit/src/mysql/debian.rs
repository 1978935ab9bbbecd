//! Debian's newest packages (sid), unpacked into a folder on an older Debian: a world of apt's own that knows nothing of
//! what is installed here, so that every library comes along, the C library and its loader included. No root, no mount.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::run;

const SUITE: &str = "sid";
/// Who signs what Debian publishes; on machines that keep it elsewhere, apt's own trusted keys decide.
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];

/// Downloads `packages` with the libraries they depend on and unpacks them all into `home`.
///
/// # Errors
/// One line that says what went wrong.
pub(super) fn unpack(packages: &[&str], home: &Path) -> Result<(), String> {
    for tool in ["apt-get", "dpkg-deb"] {
        run(Command::new(tool).arg("--version"))
            .map_err(|_| format!("it cannot be unpacked without {tool} (Debian and its kin)"))?;
    }
    let world = home.join("apt");
    prepare(&world)?;
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("APT_CONFIG", world.join("apt.conf")).args(args);
        command
    };
    run(&mut apt(&["update", "-q"]))?;
    let mut simulate = apt(&["install", "--simulate", "--no-install-recommends"]);
    let plan = run(simulate.args(packages))?;
    let wanted: Vec<&str> = plan
        .lines()
        .filter_map(|line| line.strip_prefix("Inst ")?.split_whitespace().next())
        .filter(|name| packages.contains(name) || is_library(name))
        .collect();
    let downloads = world.join("downloads");
    fs::create_dir_all(&downloads).map_err(|error| error.to_string())?;
    run(apt(&["download", "-q"]).args(&wanted).current_dir(&downloads))?;
    for entry in fs::read_dir(&downloads).map_err(|error| error.to_string())?.flatten() {
        run(Command::new("dpkg-deb").arg("-x").arg(entry.path()).arg(home))?;
    }
    fs::remove_dir_all(&world).map_err(|error| error.to_string())
}

/// Programs such as perl and what they need to be installed are left out.
fn is_library(package: &str) -> bool {
    (package.starts_with("lib") && !package.starts_with("libperl")) || package == "zlib1g"
}

/// Folders, sources and configuration of a separate apt, which takes only the mirror from the machine's own.
fn prepare(world: &Path) -> Result<(), String> {
    let disk = |error: std::io::Error| format!("{}: {error}", world.display());
    fs::create_dir_all(world.join("lists/partial")).map_err(disk)?;
    fs::create_dir_all(world.join("cache/archives/partial")).map_err(disk)?;
    fs::write(world.join("status"), "").map_err(disk)?;
    let keyring = KEYRINGS.iter().find(|path| Path::new(path).is_file());
    let signed = keyring.map(|path| format!("[signed-by={path}] ")).unwrap_or_default();
    fs::write(world.join("sources.list"), format!("deb {signed}{} {SUITE} main\n", mirror()?))
        .map_err(disk)?;
    let at = world.display();
    let text = format!(
        "Dir::Etc::SourceList \"{at}/sources.list\";\nDir::Etc::SourceParts \"-\";\nDir::State::Lists \"{at}/lists\";\n\
         Dir::State::status \"{at}/status\";\nDir::Cache \"{at}/cache\";\nAPT::Sandbox::User \"\";\n"
    );
    fs::write(world.join("apt.conf"), text).map_err(disk)
}

/// The first address this machine gets Debian itself from, as opposed to Debian's security updates.
fn mirror() -> Result<String, String> {
    let mut targets = Command::new("apt-get");
    targets.args(["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]);
    let addresses = run(&mut targets)?;
    addresses
        .lines()
        .map(|line| line.trim_end_matches('/'))
        .find(|address| address.ends_with("/debian"))
        .map(str::to_owned)
        .ok_or_else(|| "this machine's package sources name no Debian mirror".to_owned())
}
