//! A Python environment with PyKMIP in it, under the testkit's folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::run;
use crate::{Unavailable, folder};

const WHAT: &str = "PyKMIP";

/// The release that is tested against (`python/requirements.txt` names it too).
pub const RELEASE: &str = "0.11.0";

/// A Python with PyKMIP.
#[derive(Debug, Clone)]
pub struct Installation {
    /// The interpreter.
    pub python: PathBuf,
    /// The versions of Python, PyKMIP and the libraries under it, on one line.
    pub version: String,
}

/// PyKMIP in a virtual environment, made with `python3 -m venv` and `pip install` the first time.
///
/// # Errors
/// Says what is missing: Python, its venv module, or a way to the package index.
pub fn installation() -> Result<Installation, Unavailable> {
    let home = folder::once("pykmip", RELEASE, install)?;
    let python = home.join("venv/bin/python");
    let version =
        run(Command::new(&python).args(["-c", VERSIONS])).map_err(|why| Unavailable::new(WHAT, why))?;
    Ok(Installation { python, version: version.trim().to_owned() })
}

const VERSIONS: &str = "import importlib.metadata as m, platform as p, ssl
print('PyKMIP', m.version('pykmip'), 'on Python', p.python_version(), 'with', ssl.OPENSSL_VERSION + ',',
      'cryptography', m.version('cryptography') + ',', 'SQLAlchemy', m.version('sqlalchemy'))";

fn install(home: &Path) -> Result<(), Unavailable> {
    let fail = |why: String| Unavailable::new(WHAT, why);
    run(Command::new("python3").args(["-c", "import sys; sys.exit(sys.version_info < (3, 8))"])).map_err(
        |why| fail(format!("Python 3.8 or newer is needed (Debian: apt-get install python3): {why}")),
    )?;
    run(Command::new("python3").args(["-c", "import venv, ensurepip"]))
        .map_err(|_| fail("Python has no venv module (Debian: apt-get install python3-venv)".to_owned()))?;
    let venv = home.join("venv");
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv)).map_err(fail)?;
    let requirements = home.join("requirements.txt");
    std::fs::write(&requirements, include_str!("../../python/requirements.txt"))
        .map_err(|error| fail(error.to_string()))?;
    run(Command::new(venv.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(requirements))
    .map_err(fail)?;
    Ok(())
}
