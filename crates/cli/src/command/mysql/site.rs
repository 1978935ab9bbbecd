//! Where a server's files are.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::account::{Account, other_root, program};
use super::{COMPONENT, Fault};
use crate::args::MysqlSiteArgs;
use crate::error::Error;

/// A server's places, found out or told.
pub(super) struct Site {
    /// The program, without symbolic links.
    pub(super) mysqld: PathBuf,
    /// The data directory.
    pub(super) datadir: PathBuf,
    /// The folder of plugins and components.
    pub(super) plugin_dir: PathBuf,
    /// User and group of the data directory, which are the server's.
    pub(super) owner: (u32, u32),
    /// The running server, where it was asked.
    pub(super) account: Option<Account>,
}

impl Site {
    /// The server that the arguments name. It is asked for what they leave open.
    ///
    /// # Errors
    /// [`Fault::Connect`], [`Fault::Where`], [`Error::Read`].
    pub(super) fn find(args: &MysqlSiteArgs) -> Result<Self, Error> {
        let told = args.mysqld.is_some() && args.datadir.is_some() && args.plugin_dir.is_some();
        let account = if told { None } else { Some(Account::connect(&args.account)?) };
        Self::with(args, account)
    }

    /// The server that the arguments name, which must run.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub(super) fn running(args: &MysqlSiteArgs) -> Result<(Self, Account), Error> {
        let account = Account::connect(&args.account)?;
        let mut site = Self::with(args, Some(account))?;
        match site.account.take() {
            Some(account) => Ok((site, account)),
            None => Err(Fault::Where("socket").into()),
        }
    }

    fn with(args: &MysqlSiteArgs, mut account: Option<Account>) -> Result<Self, Error> {
        let process = account.as_ref().and_then(|account| account.process);
        if let Some(root) = process.and_then(other_root) {
            return Err(Fault::OtherRoot(root).into());
        }
        let mut ask = |told: &Option<PathBuf>, variable: &str, flag| match (told, &mut account) {
            (Some(path), _) => Ok(path.clone()),
            (None, Some(account)) => {
                account.variable(variable)?.map(PathBuf::from).ok_or_else(|| Error::from(Fault::Where(flag)))
            }
            (None, None) => Err(Fault::Where(flag).into()),
        };
        let datadir = ask(&args.datadir, "datadir", "data directory (--datadir)")?;
        let plugin_dir = ask(&args.plugin_dir, "plugin_dir", "plugin folder (--plugin-dir)")?;
        let mysqld = match (&args.mysqld, &account) {
            (Some(path), _) => path.clone(),
            (None, Some(account)) => {
                account.process.and_then(program).ok_or(Fault::Where("program (--mysqld)"))?
            }
            (None, None) => return Err(Fault::Where("program (--mysqld)").into()),
        };
        let found = |path: PathBuf| fs::canonicalize(&path).map_err(|source| Error::Read { path, source });
        let datadir = found(datadir)?;
        let about = fs::metadata(&datadir).map_err(|source| Error::Read { path: datadir.clone(), source })?;
        Ok(Self {
            mysqld: found(mysqld)?,
            plugin_dir: found(plugin_dir)?,
            owner: (about.uid(), about.gid()),
            datadir,
            account,
        })
    }

    /// A library in the plugin folder.
    pub(super) fn library(&self, name: &str) -> PathBuf {
        self.plugin_dir.join(format!("{name}.so"))
    }

    /// The manifest of all servers of this program.
    pub(super) fn global_manifest(&self) -> PathBuf {
        let mut name = self.mysqld.file_name().unwrap_or_default().to_owned();
        name.push(".my");
        self.mysqld.with_file_name(name)
    }

    /// The manifest of this server, which counts where the global one says so.
    pub(super) fn local_manifest(&self) -> PathBuf {
        self.datadir.join(self.global_manifest().file_name().unwrap_or_default())
    }

    /// The component's configuration for all servers of this plugin folder.
    pub(super) fn global_configuration(&self) -> PathBuf {
        self.plugin_dir.join(format!("{COMPONENT}.cnf"))
    }

    /// The component's configuration for this server, which counts where the global one says so.
    pub(super) fn local_configuration(&self) -> PathBuf {
        self.datadir.join(format!("{COMPONENT}.cnf"))
    }

    /// Whether the server's account may read a file, by owner and mode.
    pub(super) fn may_read(&self, about: &fs::Metadata) -> bool {
        self.may(about, 0o444)
    }

    /// The first folder above `path` that does not let the server's account through.
    pub(super) fn barred(&self, path: &Path) -> Option<PathBuf> {
        let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
        above.reverse();
        above
            .into_iter()
            .find(|folder| fs::metadata(folder).is_ok_and(|about| !self.may(&about, 0o111)))
            .map(Path::to_path_buf)
    }

    /// Whether the server's account may write to a file.
    pub(super) fn may_write(&self, about: &fs::Metadata) -> bool {
        self.may(about, 0o222)
    }

    fn may(&self, about: &fs::Metadata, bits: u32) -> bool {
        let (user, group) = self.owner;
        let class = if user == 0 {
            return true;
        } else if about.uid() == user {
            0o700
        } else if about.gid() == group {
            0o070
        } else {
            0o007
        };
        about.mode() & bits & class != 0
    }

    /// Whether the data directory has been initialised.
    pub(super) fn is_initialised(&self) -> bool {
        self.datadir.join("mysql.ibd").is_file() || self.datadir.join("ibdata1").is_file()
    }
}

/// The path as a server must be told it: absolute, because it changes its folder.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Error> {
    fs::canonicalize(path).map_err(|source| Error::Read { path: path.into(), source })
}
