//! `strongroom enroll`: this host becomes an endpoint.

use std::io::Read;

use serde_json::json;
use strongroom_vault::enrolment::Token;
use zeroize::Zeroizing;

use crate::args::EnrollArgs;
use crate::enrolment;
use crate::error::Error;
use crate::output::Output;
use crate::terminal;

/// Longer than any token, in bytes.
const TOKEN_MAX: u64 = 64 * 1024;

pub(crate) fn run(args: &EnrollArgs, output: Output) -> Result<(), Error> {
    let token = Token::parse(&text(args)?).map_err(Error::Token)?;
    let password = if args.password {
        Some(terminal::ask_new_secret("Password for the private key: ")?)
    } else {
        args.password_fd.map(terminal::secret_from_fd).transpose()?
    };
    let password = password.as_ref().map(|password| password.as_str());
    let enrolled = enrolment::enrol(&token, &args.out, password, output)?;
    if output.is_json() {
        return output.json(&json!({
            "endpoint": enrolled.name,
            "conf": args.out,
            "servers": enrolled.servers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }));
    }
    output.note(format!(
        "Enrolled as {}; its endpoint directory is {}.\nTest it:  strongroom ping --conf {1}",
        enrolled.name,
        args.out.display()
    ));
    Ok(())
}

fn text(args: &EnrollArgs) -> Result<Zeroizing<String>, Error> {
    let mut text = Zeroizing::new(String::with_capacity(4096));
    match (&args.token, &args.token_file) {
        (Some(token), _) if token == "-" => {
            let failed = |source| Error::Read { path: "standard input".into(), source };
            std::io::stdin().lock().take(TOKEN_MAX).read_to_string(&mut text).map_err(failed)?;
        }
        (Some(token), _) => text.push_str(token),
        (None, Some(path)) => {
            let failed = |source| Error::Read { path: path.clone(), source };
            let file = std::fs::File::open(path).map_err(failed)?;
            file.take(TOKEN_MAX).read_to_string(&mut text).map_err(failed)?;
        }
        // Clap has seen to it that one of them is there.
        (None, None) => {}
    }
    Ok(text)
}
