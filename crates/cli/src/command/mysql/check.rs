//! `strongroom mysql check`: whether this server will find its keyring, and the keyring its vault.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::Serialize;
use strongroom_client::probe::probe;
use strongroom_mysql_core::config::{EndpointSource, VerifyName};

use super::configuration::Vault;
use super::manifest::Manifest;
use super::site::Site;
use super::{COMPONENT, Fault, PLUGIN, apparmor, configuration};
use crate::args::MysqlCheckArgs;
use crate::error::Error;
use crate::output::{BAD, GOOD, Output, STRONG, WIDTH, printable, wrap};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Good,
    Warning,
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    verdict: Verdict,
    what: String,
    /// What to do about it.
    remedy: Option<String>,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, what: impl Into<String>) {
        self.0.push(Finding { verdict: Verdict::Good, what: what.into(), remedy: None });
    }

    fn warning(&mut self, what: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { verdict: Verdict::Warning, what: what.into(), remedy: Some(remedy.into()) });
    }

    fn bad(&mut self, what: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { verdict: Verdict::Bad, what: what.into(), remedy: Some(remedy.into()) });
    }

    fn error(&mut self, error: &Error) {
        self.bad(error.to_string(), error.remedy().unwrap_or_default());
    }

    /// A path of which a folder above does not let the server's account through.
    fn barred(&mut self, site: &Site, path: &Path) {
        if let Some(folder) = site.barred(path) {
            self.bad(
                format!(
                    "{} does not let the server's account through to {}",
                    folder.display(),
                    path.display()
                ),
                format!(
                    "choose a place below folders that let others through, or: chmod o+x {}",
                    folder.display()
                ),
            );
        }
    }

    /// A file that the server must be able to read and should not be able to write; false where it is not there.
    fn file(&mut self, site: &Site, path: &Path) -> bool {
        let shown = path.display();
        match fs::metadata(path) {
            Err(error) => {
                self.bad(
                    format!("{shown}: {}", crate::message::reason(&error)),
                    "run strongroom mysql install",
                );
                false
            }
            Ok(_) if site.barred(path).is_some() => {
                self.barred(site, path);
                true
            }
            Ok(about) if !site.may_read(&about) => {
                let (_, group) = site.owner;
                self.bad(
                    format!("{shown} cannot be read by the server's account"),
                    format!("chgrp {group} {shown} && chmod 0640 {shown}"),
                );
                true
            }
            Ok(about) if about.mode() & 0o002 != 0 => {
                self.bad(format!("{shown} can be written by everybody"), format!("chmod o-w {shown}"));
                true
            }
            // What root could write is everything, and no news.
            Ok(about) if site.owner.0 != 0 && site.may_write(&about) => {
                self.warning(
                    format!("{shown} can be written by the server's account"),
                    format!(
                        "chown root {shown} && chmod 0640 {shown} (the server warns of this too: MY-013711)"
                    ),
                );
                true
            }
            Ok(_) => {
                self.good(format!("{shown}"));
                true
            }
        }
    }
}

pub(super) fn run(args: &MysqlCheckArgs, output: Output) -> Result<(), Error> {
    let mut site = Site::find(&args.site)?;
    let mut findings = Findings::default();
    let plugin = match &mut site.account {
        Some(account) => account.variable("keyring_okv_conf_dir")?,
        None => None,
    };
    match plugin {
        Some(dir) => check_plugin(&site, &dir, &mut findings),
        None => check_component(&site, &args.apparmor, &mut findings),
    }
    check_server(&mut site, &mut findings)?;

    let failed = findings.0.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
    if output.is_json() {
        output.json(&findings.0)?;
    } else {
        for finding in &findings.0 {
            output.result(text(finding))?;
        }
    }
    if failed == 0 { Ok(()) } else { Err(Fault::Checks(failed).into()) }
}

fn text(finding: &Finding) -> String {
    let (sign, style) = match finding.verdict {
        Verdict::Good => ('✓', GOOD),
        Verdict::Warning => ('!', STRONG),
        Verdict::Bad => ('✗', BAD),
    };
    let mut text = format!("{style}{sign}{style:#} {}", wrap(&printable(&finding.what), WIDTH - 2, "    "));
    if let Some(remedy) = finding.remedy.as_ref().filter(|remedy| !remedy.is_empty()) {
        text.push_str(&format!("\n    {}", wrap(&printable(remedy), WIDTH - 4, "    ")));
    }
    text
}

fn check_component(site: &Site, apparmor: &Path, findings: &mut Findings) {
    findings.file(site, &site.library(COMPONENT));
    check_manifest(site, findings);
    let global = site.global_configuration();
    if !findings.file(site, &global) {
        return;
    }
    if configuration::is_local(&global) == Some(true) && !findings.file(site, &site.local_configuration()) {
        return;
    }
    let configuration = match configuration::read(site) {
        Ok(configuration) => configuration,
        Err(error) => return findings.error(&error),
    };
    let dialect = match &configuration.endpoint {
        EndpointSource::Directory { .. } => "Oracle's",
        EndpointSource::Files { .. } => "Percona's",
    };
    findings.good(format!("the configuration is in {dialect} dialect"));
    if let VerifyName::No(key) = configuration.verify_name {
        findings.warning(
            format!("{key} is off: any server of the same authority can stand in for the vault"),
            "give the vault a certificate with its name, and turn it on",
        );
    }
    match Vault::of(&configuration, None) {
        Ok(vault) => {
            if let EndpointSource::Directory { dir, .. } = &configuration.endpoint {
                check_endpoint_owner(site, dir, findings);
                check_apparmor(site, apparmor, dir, findings);
            }
            check_vault(&vault, findings);
        }
        Err(error) => findings.error(&error),
    }
}

fn check_manifest(site: &Site, findings: &mut Findings) {
    let (global, local) = (site.global_manifest(), site.local_manifest());
    let manifest = match Manifest::read(&global) {
        Ok(Some(manifest)) => manifest,
        Ok(None) => {
            return findings.bad(
                format!("there is no manifest at {}, so that the server has no keyring", global.display()),
                "run strongroom mysql install",
            );
        }
        Err(error) => return findings.error(&error),
    };
    findings.file(site, &global);
    let (path, manifest) = if manifest.read_local_manifest {
        findings.file(site, &local);
        match Manifest::read(&local) {
            Ok(manifest) => (local, manifest.unwrap_or_default()),
            Err(error) => return findings.error(&error),
        }
    } else {
        (global, manifest)
    };
    let keyrings: Vec<&str> = manifest.keyrings().collect();
    match keyrings.as_slice() {
        [ours] if *ours == COMPONENT => findings.good(format!("{} loads {COMPONENT}", path.display())),
        [] => findings.bad(format!("{} loads no keyring", path.display()), "run strongroom mysql install"),
        [other] => findings.bad(
            format!("{} loads {other}", path.display()),
            "copy its keys (strongroom keyring migrate), then strongroom mysql install --replace-keyring",
        ),
        several => findings.bad(
            format!("{} loads several keyrings: {}", path.display(), several.join(", ")),
            "leave one of them",
        ),
    }
}

fn check_plugin(site: &Site, dir: &str, findings: &mut Findings) {
    findings.file(site, &site.library(PLUGIN));
    if dir.is_empty() {
        return findings.bad(
            format!("{PLUGIN}_conf_dir is empty, so that the server has no keyring"),
            format!("SET PERSIST {PLUGIN}_conf_dir = '/etc/…', an endpoint directory"),
        );
    }
    check_endpoint_owner(site, Path::new(dir), findings);
    match Vault::of_directory(dir.into(), None) {
        Ok(vault) => check_vault(&vault, findings),
        Err(error) => findings.error(&error),
    }
}

fn check_endpoint_owner(site: &Site, dir: &Path, findings: &mut Findings) {
    findings.barred(site, dir);
    let files = ["", "okvclient.ora", "ssl", "ssl/CA.pem", "ssl/cert.pem", "ssl/key.pem"];
    let unreadable = files
        .iter()
        .map(|file| dir.join(file))
        .find(|path| fs::metadata(path).is_ok_and(|about| !site.may_read(&about)));
    if let Some(path) = unreadable {
        let (user, group) = site.owner;
        findings.bad(
            format!("{} cannot be read by the server's account", path.display()),
            format!("chown -R {user}:{group} {}", dir.display()),
        );
    }
}

fn check_vault(vault: &Vault, findings: &mut Findings) {
    for warning in &vault.endpoint.warnings {
        findings.warning(warning.to_string(), "");
    }
    findings.good(format!("{} describes an endpoint", vault.place));
    match probe(&vault.endpoint, &vault.options) {
        Err(fault) => {
            findings.error(&Error::Client(strongroom_client::Error::TlsConfig(fault)));
        }
        Ok(reports) => {
            for report in reports {
                match report.steps.iter().find_map(|step| step.result.as_ref().err()) {
                    None => findings.good(format!("{} answers and accepts this endpoint", report.server)),
                    Some(cause) => findings.bad(
                        format!("{}: {cause}", report.server),
                        format!("strongroom ping --conf {} shows every step", vault.place),
                    ),
                }
            }
        }
    }
}

fn check_apparmor(site: &Site, folder: &Path, endpoint: &Path, findings: &mut Findings) {
    let Some(profile) = apparmor::profile(folder, site) else { return };
    let rules = apparmor::rules(site, &site.library(COMPONENT), endpoint);
    let text = fs::read_to_string(&profile.local).unwrap_or_default();
    if apparmor::has_rules(&text, &rules) {
        findings.good(format!("{} lets the server read its keyring's files", profile.local.display()));
    } else {
        findings.bad(
            format!("{} does not let the server read its keyring's files", profile.path.display()),
            format!("strongroom mysql install, then apparmor_parser -r {}", profile.path.display()),
        );
    }
}

fn check_server(site: &mut Site, findings: &mut Findings) -> Result<(), Error> {
    let Some(account) = &mut site.account else { return Ok(()) };
    let status: Vec<(String, String)> = account
        .rows("SELECT STATUS_KEY, STATUS_VALUE FROM performance_schema.keyring_component_status")
        .unwrap_or_default();
    let plugins: Vec<(String,)> = account.rows(
        "SELECT PLUGIN_NAME FROM information_schema.PLUGINS WHERE PLUGIN_TYPE = 'KEYRING' AND PLUGIN_STATUS = 'ACTIVE' \
         AND PLUGIN_NAME <> 'daemon_keyring_proxy_plugin'",
    )?;
    let value = |key: &str| {
        status.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
    };
    match (value("Component_status"), plugins.first()) {
        (Some("Active"), _) => findings.good(format!(
            "the running server's keyring is active ({})",
            value("Implementation_name").unwrap_or(COMPONENT)
        )),
        (Some(other), _) => findings.bad(
            format!("the running server's keyring is {}", other.to_lowercase()),
            "correct what is wrong above, then ALTER INSTANCE RELOAD KEYRING",
        ),
        (None, Some((plugin,))) => findings.good(format!("the running server has loaded {plugin}")),
        (None, None) => findings.bad(
            "the running server has no keyring",
            "restart it after strongroom mysql install, and look at its error log",
        ),
    }
    if account.variable("keyring_operations")?.as_deref() == Some("OFF") {
        findings.warning("keyring_operations is off", "SET GLOBAL keyring_operations = ON");
    }
    Ok(())
}
