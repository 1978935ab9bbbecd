//! `strongroom mysql install`: whatever the server needs, and the manifest or option file last, because that is what makes it load the
//! rest.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use strongroom_client::Endpoint;
use strongroom_client::endpoint_dir::{OKVCLIENT_ORA, SSL_DIR};

use super::manifest::Manifest;
use super::plan::Plan;
use super::site::{Site, absolute};
use super::{COMPONENT, Fault, PLUGIN, apparmor, configuration};
use crate::args::{MysqlInstallArgs, MysqlPlugin};
use crate::error::Error;
use crate::output::{Output, WIDTH, wrap};

/// A library is root's, or else nobody can write to it.
const ROOTS_LIBRARY_MODE: u32 = 0o755;
const OWN_LIBRARY_MODE: u32 = 0o555;
/// What everybody may read.
const OPEN_MODE: u32 = 0o644;
/// What the server alone may read, and not write: it warns of a manifest that it could write to.
const SERVERS_MODE: u32 = 0o640;
/// The same where the server's account is the one that runs this command.
const OWN_MODE: u32 = 0o440;

pub(super) fn run(args: &MysqlInstallArgs, output: Output) -> Result<(), Error> {
    let endpoint = Endpoint::open(&args.conf).map_err(Error::EndpointDir)?;
    for warning in &endpoint.warnings {
        output.warn(warning);
    }
    let conf = absolute(&args.conf)?;
    let site = Site::find(&args.site)?;
    let is_root = rustix::process::geteuid().is_root();
    let mut install = Install { args, site, conf, is_root, plan: Plan::default(), remarks: Vec::new() };
    install.endpoint()?;
    install.apparmor()?;
    match args.plugin {
        Some(MysqlPlugin::Okv) => install.plugin()?,
        None => install.component()?,
    }
    let Install { plan, remarks, .. } = install;

    if !args.dry_run {
        plan.apply()?;
    }
    if output.is_json() {
        return output.json(&json!({
            "dry_run": args.dry_run,
            "changes": plan.document(),
            "remarks": remarks,
        }));
    }
    if plan.is_empty() {
        output.result("everything is as it should be")?;
    } else {
        output.result(plan.show())?;
    }
    for remark in remarks {
        output.note(wrap(&remark, WIDTH, "  "));
    }
    Ok(())
}

struct Install<'a> {
    args: &'a MysqlInstallArgs,
    site: Site,
    conf: PathBuf,
    is_root: bool,
    plan: Plan,
    remarks: Vec<String>,
}

impl Install<'_> {
    /// Root's files, which the server may read.
    fn roots(&self) -> Option<(u32, u32)> {
        self.is_root.then_some((0, 0))
    }

    /// Mode and owner of a file that the server's account alone may read.
    fn servers(&self) -> (u32, Option<(u32, u32)>) {
        match self.is_root {
            true => (SERVERS_MODE, Some((0, self.site.owner.1))),
            false => (OWN_MODE, None),
        }
    }

    fn library(&mut self, name: &str) -> Result<(), Error> {
        let file = format!("{name}.so");
        let from = match &self.args.library {
            Some(path) => path.clone(),
            None => beside(&format!("lib{file}")).ok_or_else(|| Fault::NoLibrary(file.clone().into()))?,
        };
        if !from.is_file() {
            return Err(Fault::NoLibrary(from).into());
        }
        let to = self.site.library(name);
        let owner = self.roots();
        let mode = if self.is_root { ROOTS_LIBRARY_MODE } else { OWN_LIBRARY_MODE };
        self.plan.copy(to, from, mode, owner)
    }

    fn component(&mut self) -> Result<(), Error> {
        let (global, local) = (self.site.global_manifest(), self.site.local_manifest());
        let present = Manifest::read(&global)?;
        // A list beside the program holds for all its servers, and stays where it is.
        let is_global =
            self.args.global || present.as_ref().is_some_and(|manifest| !manifest.read_local_manifest);
        if !is_global && !self.site.is_initialised() {
            return Err(Fault::NotInitialised(self.site.datadir.clone()).into());
        }
        let (path, list) = match is_global {
            true => (&global, present.clone().filter(|manifest| !manifest.read_local_manifest)),
            false => (&local, Manifest::read(&local)?),
        };
        let list = list.unwrap_or_default();
        if let Some(other) = list.keyrings().find(|keyring| *keyring != COMPONENT)
            && !self.args.replace_keyring
        {
            return Err(Fault::OtherKeyring { path: path.clone(), component: other.to_owned() }.into());
        }
        self.library(COMPONENT)?;
        self.configuration(is_global)?;
        let text = list.with_ours().render();
        let roots = self.roots();
        if is_global {
            self.plan.text(global, text, self.open_mode(), roots)?;
        } else {
            let (mode, owner) = self.servers();
            self.plan.text(local, text, mode, owner)?;
            self.plan.text(global, Manifest::local().render(), self.open_mode(), roots)?;
        }
        self.remarks.push(
            "The server loads its keyring when it starts: restart it, then run strongroom mysql check."
                .to_owned(),
        );
        Ok(())
    }

    /// Root's files may be written by their owner, which the server is not. One's own are better not.
    fn open_mode(&self) -> u32 {
        if self.is_root { OPEN_MODE } else { OWN_MODE }
    }

    fn configuration(&mut self, is_global: bool) -> Result<(), Error> {
        let global = self.site.global_configuration();
        let render = |path: &Path| {
            let present = fs::read_to_string(path).ok();
            configuration::render(present.as_deref(), &self.conf, self.args.group.as_deref())
        };
        let (mode, owner) = self.servers();
        let roots = self.roots();
        if is_global || configuration::is_local(&global) == Some(false) {
            let text = render(&global);
            return self.plan.text(global, text, mode, owner);
        }
        let local = self.site.local_configuration();
        let text = render(&local);
        self.plan.text(local, text, mode, owner)?;
        self.plan.text(global, configuration::render_local(), self.open_mode(), roots)
    }

    fn plugin(&mut self) -> Result<(), Error> {
        for path in [self.site.global_manifest(), self.site.local_manifest()] {
            if let Some(manifest) = Manifest::read(&path)?
                && let Some(component) = manifest.keyrings().next()
            {
                let component = component.to_owned();
                return Err(Fault::ComponentFirst { path, component }.into());
            }
        }
        self.library(PLUGIN)?;
        let text = format!(
            "[mysqld]\nearly-plugin-load = {PLUGIN}.so\n{PLUGIN}_conf_dir = {}\n",
            self.conf.display()
        );
        let owner = self.roots();
        self.plan.text(self.args.option_file.clone(), text, OPEN_MODE, owner)?;
        self.remarks.push(format!(
            "Restart the server. It must read {}, which Debian's does in /etc/mysql/conf.d.",
            self.args.option_file.display()
        ));
        Ok(())
    }

    /// The server's account must be able to read its endpoint directory, and nobody else its key.
    fn endpoint(&mut self) -> Result<(), Error> {
        let ssl = self.conf.join(SSL_DIR);
        let mut paths = vec![self.conf.clone(), self.conf.join(OKVCLIENT_ORA), ssl.clone()];
        let entries = fs::read_dir(&ssl).map_err(|source| Error::Read { path: ssl.clone(), source })?;
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        paths.append(&mut files);
        if let Some(folder) = self.site.barred(&self.conf) {
            self.remarks.push(format!(
                "{} does not let the server's account through to its endpoint directory: choose a place below folders that let \
                 others through, or chmod o+x {0}",
                folder.display()
            ));
        }
        for path in paths {
            let about = fs::metadata(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
            if self.site.may_read(&about) {
                continue;
            }
            if self.is_root {
                let mode = std::os::unix::fs::MetadataExt::mode(&about) & 0o7777;
                self.plan.give(path, mode, self.site.owner);
            } else {
                let (user, group) = self.site.owner;
                self.remarks.push(format!(
                    "The server's account cannot read {}; as root: chown {user}:{group} {0}",
                    path.display()
                ));
            }
        }
        Ok(())
    }

    fn apparmor(&mut self) -> Result<(), Error> {
        let Some(profile) = apparmor::profile(&self.args.apparmor, &self.site) else { return Ok(()) };
        let name = if self.args.plugin.is_some() { PLUGIN } else { COMPONENT };
        let rules = apparmor::rules(&self.site, &self.site.library(name), &self.conf);
        let text = fs::read_to_string(&profile.local).unwrap_or_default();
        let owner = self.roots();
        self.plan.text(profile.local, apparmor::with_rules(&text, &rules), OPEN_MODE, owner)?;
        self.remarks
            .push(format!("AppArmor takes the rules up with: apparmor_parser -r {}", profile.path.display()));
        Ok(())
    }
}

/// A library where cargo or a package puts it: beside this program, or in `lib/strongroom` beside its folder.
fn beside(file: &str) -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let folder = program.parent()?;
    let places = [folder.join(file), folder.join("../lib/strongroom").join(file)];
    places.iter().find(|path| path.is_file()).cloned().or_else(|| Some(places[0].clone()))
}
