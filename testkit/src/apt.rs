//! Debian's package tools, used without touching the system: packages are downloaded and unpacked into a folder, and
//! where package lists are needed, a private copy of them is fetched. None of it needs root.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Unavailable;
use crate::process::run;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The release of Debian that is never released: what is newest.
pub(crate) const UNSTABLE: &str = "sid";

/// Packages that are unpacked below `home`, from the package sources of this machine or of another Debian release.
pub(crate) struct Apt {
    /// What is unpacked, for those who are told that it cannot be.
    what: &'static str,
    home: PathBuf,
    other_release: bool,
}

impl Apt {
    /// The machine's own package sources.
    pub(crate) fn of_this_machine(what: &'static str, home: &Path) -> Result<Self, Unavailable> {
        for tool in ["apt-get", "apt-cache", "dpkg-deb", "ldd"] {
            if run(Command::new(tool).arg("--version")).is_err() {
                return Err(Unavailable::new(
                    what,
                    format!(
                        "its server is not installed, and cannot be unpacked without {tool} (Debian and its kin)"
                    ),
                ));
            }
        }
        Ok(Self { what, home: home.to_path_buf(), other_release: false })
    }

    /// Another release of Debian, from the mirrors that this machine, itself a Debian, uses. Nothing that is installed
    /// here counts for it.
    pub(crate) fn of_release(what: &'static str, home: &Path, codename: &str) -> Result<Self, Unavailable> {
        let apt = Self { other_release: true, ..Self::of_this_machine(what, home)? };
        let fail = |why: String| Unavailable::new(what, why);
        let own = codename_of_this_machine()
            .ok_or_else(|| fail(format!("unpacking that of Debian's {codename} needs a Debian")))?;
        let sources: BTreeSet<String> = run(Command::new("apt-get").args([
            "indextargets",
            "--format",
            "$(REPO_URI) $(RELEASE) $(COMPONENT)",
        ]))
        .map_err(fail)?
        .lines()
        .filter_map(|line| source_line(line, &own, codename))
        .collect();
        if sources.is_empty() {
            return Err(fail(format!(
                "apt has no source of {own} packages that could name one of {codename}"
            )));
        }
        let state = apt.state();
        let text = sources.into_iter().collect::<Vec<_>>().join("\n") + "\n";
        fs::create_dir_all(&state)
            .and_then(|()| fs::write(state.join("sources.list"), text))
            .and_then(|()| fs::write(state.join("status"), ""))
            .map_err(|error| fail(error.to_string()))?;
        apt.update().map_err(fail)?;
        Ok(apt)
    }

    /// Private package lists are ten times the size of the server.
    pub(crate) fn drop_lists(&self) {
        let _ = fs::remove_dir_all(self.state());
    }

    fn state(&self) -> PathBuf {
        self.home.join("apt")
    }

    fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        let state = self.state();
        if !state.exists() {
            return command;
        }
        command
            .arg(format!("-oDir::State={}", state.display()))
            .arg(format!("-oDir::Cache={}", state.join("cache").display()))
            .arg("-oAPT::Sandbox::User=");
        if self.other_release {
            command
                .arg(format!("-oDir::State::status={}", state.join("status").display()))
                .arg(format!("-oDir::Etc::sourcelist={}", state.join("sources.list").display()))
                .arg("-oDir::Etc::sourceparts=/dev/null");
        } else {
            command.arg("-oDir::State::status=/var/lib/dpkg/status");
        }
        command
    }

    fn update(&self) -> Result<(), String> {
        let state = self.state();
        fs::create_dir_all(state.join("lists/partial"))
            .and_then(|()| fs::create_dir_all(state.join("cache/archives/partial")))
            .map_err(|error| error.to_string())?;
        run(self.command("apt-get").arg("update")).map(|_| ())
    }

    /// Downloads packages, without what they depend on, and unpacks them.
    pub(crate) fn unpack(&self, packages: &BTreeSet<String>) -> Result<(), Unavailable> {
        let fail = |why: String| Unavailable::new(self.what, why);
        let downloads = self.home.join("downloads");
        let _ = fs::remove_dir_all(&downloads);
        fs::create_dir_all(&downloads).map_err(|error| fail(error.to_string()))?;
        let fetch = || run(self.command("apt-get").arg("download").args(packages).current_dir(&downloads));
        if let Err(first) = fetch() {
            self.update().map_err(|why| fail(format!("{first}; then {why}")))?;
            fetch().map_err(fail)?;
        }
        let entries = fs::read_dir(&downloads).map_err(|error| fail(error.to_string()))?;
        for entry in entries.flatten() {
            run(Command::new("dpkg-deb").arg("-x").arg(entry.path()).arg(&self.home)).map_err(fail)?;
        }
        fs::remove_dir_all(&downloads).map_err(|error| fail(error.to_string()))
    }

    /// The packages, and all that must be there for them.
    pub(crate) fn with_dependencies(&self, packages: &[&str]) -> Result<BTreeSet<String>, Unavailable> {
        let plan = run(self
            .command("apt-get")
            .args(["--simulate", "--no-install-recommends", "install"])
            .args(packages))
        .map_err(|why| Unavailable::new(self.what, why))?;
        let planned = plan.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
        Ok(planned.map(str::to_owned).collect())
    }

    /// The libraries among what `packages` depend on that are neither installed nor unpacked.
    pub(crate) fn missing_libraries(
        &self,
        packages: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, Unavailable> {
        let output = run(self
            .command("apt-cache")
            .arg("depends")
            .args(["--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces"])
            .args(packages))
        .map_err(|why| Unavailable::new(self.what, why))?;
        Ok(output
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: "))
            .filter(|name| name.starts_with("lib") && !name.starts_with("libc6") && !name.ends_with("-perl"))
            .filter(|name| !packages.contains(*name) && !is_installed(name))
            .map(str::to_owned)
            .collect())
    }
}

/// The release this machine runs, if that is a Debian.
pub(crate) fn codename_of_this_machine() -> Option<String> {
    let about = fs::read_to_string("/etc/os-release").ok()?;
    let value = |name: &str| {
        about
            .lines()
            .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix('=')?.trim_matches('"').to_owned()))
    };
    (value("ID")? == "debian").then(|| value("VERSION_CODENAME"))?
}

/// The line of `sources.list` for another release beside a source of this one, as `apt-get indextargets` shows it.
fn source_line(target: &str, own: &str, other: &str) -> Option<String> {
    let mut fields = target.split(' ');
    let (uri, release, component) = (fields.next()?, fields.next()?, fields.next()?);
    let pocket = release.strip_prefix(own)?;
    let signed = if Path::new(KEYRING).exists() { format!("[signed-by={KEYRING}] ") } else { String::new() };
    // Unstable has no updates beside it.
    let has_pocket = pocket.is_empty() || (pocket.starts_with('-') && other != UNSTABLE);
    (component == "main" && has_pocket).then(|| format!("deb {signed}{uri} {other}{pocket} main"))
}

fn is_installed(package: &str) -> bool {
    run(Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_release_comes_from_the_same_mirrors() {
        let line =
            |target| source_line(target, "bookworm", "trixie").map(|line| line.replace(KEYRING, "KEYS"));
        let of = |target| line(target).map(|line| line.replace("[signed-by=KEYS] ", ""));
        assert_eq!(
            of("http://a.example/debian/ bookworm main").as_deref(),
            Some("deb http://a.example/debian/ trixie main")
        );
        assert_eq!(
            of("http://a.example/sec/ bookworm-security main").as_deref(),
            Some("deb http://a.example/sec/ trixie-security main")
        );
        let newest = |target| source_line(target, "bookworm", UNSTABLE);
        assert!(
            newest("http://a.example/debian/ bookworm main").is_some_and(|line| line.ends_with(" sid main"))
        );
        assert_eq!(newest("http://a.example/sec/ bookworm-security main"), None);
        assert_eq!(of("http://a.example/debian/ bookworm contrib"), None);
        assert_eq!(of("http://b.example/tool/ bookwormish main"), None);
        assert_eq!(of("http://b.example/tool/ nodistro main"), None);
    }
}
