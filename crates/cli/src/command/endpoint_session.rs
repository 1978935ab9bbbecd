//! Reaching the servers of an endpoint directory.

use std::path::Path;

use strongroom_client::{Endpoint, Options, Session};

use crate::error::Error;
use crate::output::Output;

/// Reads the endpoint directory, and says what is not as it should be in it.
///
/// # Errors
/// [`Error::EndpointDir`]
pub(crate) fn endpoint(conf: &Path, output: Output) -> Result<Endpoint, Error> {
    let endpoint = Endpoint::open(conf).map_err(Error::EndpointDir)?;
    for warning in &endpoint.warnings {
        output.warn(warning);
    }
    Ok(endpoint)
}

/// A session that connects when it is first used.
///
/// # Errors
/// [`Error::EndpointDir`], [`Error::Client`].
pub(crate) fn session(conf: &Path, output: Output) -> Result<Session, Error> {
    let endpoint = endpoint(conf, output)?;
    Session::new(&endpoint, Options::default())
        .map_err(|fault| Error::Client(strongroom_client::Error::TlsConfig(fault)))
}
