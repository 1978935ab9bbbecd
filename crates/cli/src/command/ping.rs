//! `strongroom ping`: every server of the endpoint, step by step.

use std::time::Duration;

use serde_json::{Value, json};
use strongroom_client::Options;
use strongroom_client::probe::{ProbeStep, ServerReport, probe};

use super::endpoint_session;
use crate::args::PingArgs;
use crate::error::Error;
use crate::output::{BAD, GOOD, Output, STRONG, WIDTH, printable, short, utc, wrap};

/// A certificate that ends within this time is worth a word.
const EXPIRES_SOON: Duration = Duration::from_secs(30 * 86_400);

pub(crate) fn run(args: &PingArgs, output: Output) -> Result<(), Error> {
    let endpoint = endpoint_session::endpoint(&args.conf.conf, output)?;
    let reports = probe(&endpoint, &Options::default())
        .map_err(|fault| Error::Client(strongroom_client::Error::TlsConfig(fault)))?;
    if output.is_json() {
        output.json(&reports.iter().map(document).collect::<Vec<_>>())?;
    } else {
        for report in &reports {
            output.result(text(report))?;
        }
    }
    let passed = reports.iter().filter(|report| report.passed()).count();
    let enough = if args.any { passed > 0 } else { passed == reports.len() };
    if enough { Ok(()) } else { Err(Error::Ping { passed, asked: reports.len() }) }
}

fn text(report: &ServerReport) -> String {
    let mut text = format!("{STRONG}{}{STRONG:#}", report.server);
    for step in &report.steps {
        let (sign, style, detail) = match &step.result {
            Ok(()) => ('✓', GOOD, detail(report, step.step)),
            Err(cause) => ('✗', BAD, cause.to_string()),
        };
        let detail =
            wrap(&printable(&detail), WIDTH - INDENT.len(), "").replace('\n', &format!("\n{INDENT}"));
        text.push_str(&format!(
            "\n  {style}{sign}{style:#} {:<8} {:>8}  {detail}",
            name(step.step),
            short(step.took)
        ));
    }
    text
}

/// Further lines of a step's detail stand under its first.
const INDENT: &str = "                       ";

fn name(step: ProbeStep) -> &'static str {
    match step {
        ProbeStep::Name => "name",
        ProbeStep::Tcp => "TCP",
        ProbeStep::Tls => "TLS",
        ProbeStep::Versions => "KMIP",
        ProbeStep::Identity => "identity",
    }
}

fn detail(report: &ServerReport, step: ProbeStep) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match step {
        ProbeStep::Name => list(report.addresses.iter().map(|address| address.ip().to_string()).collect()),
        ProbeStep::Tcp => "connected".to_owned(),
        ProbeStep::Tls => match &report.tls {
            Some(tls) => {
                let left = tls.not_after.saturating_sub(jiff::Timestamp::now().as_second());
                let soon = i64::try_from(EXPIRES_SOON.as_secs()).is_ok_and(|soon| left < soon);
                let warning = if soon { " (soon: renew it)" } else { "" };
                format!("{} {}; certificate until {}{warning}", tls.protocol, tls.cipher, utc(tls.not_after))
            }
            None => "agreed".to_owned(),
        },
        ProbeStep::Versions => {
            let offered = list(report.versions.iter().map(ToString::to_string).collect());
            match &report.chosen {
                Some(chosen) if offered.is_empty() => format!("{chosen} (the server names none)"),
                Some(chosen) => format!("{chosen} of {offered}"),
                None => offered,
            }
        }
        ProbeStep::Identity => "the server accepts this endpoint".to_owned(),
    }
}

fn document(report: &ServerReport) -> Value {
    let steps: Vec<Value> = report
        .steps
        .iter()
        .map(|step| {
            json!({
                "step": name(step.step),
                "ok": step.result.is_ok(),
                "took_us": u64::try_from(step.took.as_micros()).unwrap_or(u64::MAX),
                "error": step.result.as_ref().err().map(ToString::to_string),
            })
        })
        .collect();
    json!({
        "server": report.server.to_string(),
        "ok": report.passed(),
        "steps": steps,
        "addresses": report.addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>(),
        "tls": report.tls.as_ref().map(|tls| json!({
            "protocol": tls.protocol,
            "cipher": tls.cipher,
            "subject": tls.subject,
            "names": tls.names,
            "not_after": utc(tls.not_after),
        })),
        "kmip_versions": report.versions.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "kmip_version": report.chosen.as_ref().map(ToString::to_string),
    })
}
