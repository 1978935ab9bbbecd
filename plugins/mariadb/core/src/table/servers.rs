//! The table of key servers: one row for each server of the list, in its order.

use std::ffi::{CStr, c_int, c_void};
use std::time::SystemTime;

use strongroom_key_versions::versions::KeyServer;

use super::field::{Kind, Value};
use super::rows;
use crate::keys::KeyService;
use crate::server::utc;

/// The longest text of a fault that is shown, in characters.
const FAULT_CHARACTERS: u32 = 512;

/// The columns, in the order in which [`fill`] fills them.
pub(super) const COLUMNS: [(&CStr, Kind); 7] = [
    (c"SERVER", Kind::Text(300)),
    (c"STATE", Kind::Text(16)),
    (c"LAST_ANSWER", Kind::Text(20)),
    (c"ROUND_TRIP_US", Kind::Number),
    (c"LAST_FAILURE", Kind::Text(20)),
    (c"STEP", Kind::Text(8)),
    (c"FAULT", Kind::Text(FAULT_CHARACTERS)),
];

/// Fills the table for one statement.
///
/// # Safety
/// Called by the server, on the statement's thread, with the table to fill.
pub(super) unsafe extern "C" fn fill(
    thd: *mut c_void,
    tables: *mut c_void,
    _condition: *mut c_void,
) -> c_int {
    // SAFETY: passed on.
    unsafe { rows::fill(thd, tables, COLUMNS.iter().map(|(_, kind)| *kind), rows_of) }
}

fn rows_of(service: &KeyService) -> Vec<Vec<Value>> {
    service.servers().iter().map(row).collect()
}

fn row(server: &KeyServer) -> Vec<Value> {
    let text = |text: &str| Value::Text(shown(text));
    let time = |time: Option<SystemTime>| Value::Text(time.map(utc).unwrap_or_default());
    let micros = server.round_trip.map_or(0, |time| u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    let (failed, step, fault) = match &server.last_failure {
        Some((at, step, fault)) => (Some(*at), *step, fault.as_str()),
        None => (None, "", ""),
    };
    vec![
        text(&server.address),
        text(&server.state.to_string()),
        time(server.last_answer),
        Value::Number(micros),
        time(failed),
        text(step),
        text(fault),
    ]
}

/// What the column takes: characters of at most three bytes in UTF-8, none of them for control, and not too many.
fn shown(text: &str) -> String {
    let fits = |character: char| !character.is_control() && character.len_utf8() <= 3;
    text.chars()
        .map(|character| if fits(character) { character } else { '?' })
        .take(FAULT_CHARACTERS as usize)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use strongroom_key_versions::versions::KeyServerState;

    use super::*;

    #[test]
    fn a_row_says_how_a_server_does() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut server = KeyServer {
            address: "vault.example:5696".into(),
            state: KeyServerState::InUse,
            last_answer: Some(at(951_782_400)),
            round_trip: Some(Duration::from_micros(1500)),
            last_failure: None,
        };
        let text = |text: &str| Value::Text(text.into());
        let now = row(&server);
        assert_eq!(now[..3], [text("vault.example:5696"), text("in use"), text("2000-02-29 00:00:00")]);
        assert_eq!(now[3..], [Value::Number(1500), text(""), text(""), text("")]);
        server.state = KeyServerState::Away;
        server.last_failure = Some((at(951_782_401), "TCP", "connection refused".into()));
        let now = row(&server);
        assert_eq!(now[1], text("away"));
        assert_eq!(now[4..], [text("2000-02-29 00:00:01"), text("TCP"), text("connection refused")]);
        assert_eq!(now.len(), COLUMNS.len());
    }

    #[test]
    fn text_is_made_to_fit_the_column() {
        assert_eq!(shown("a\n\u{1F511}\u{20AC}"), "a??\u{20AC}");
        assert_eq!(shown(&"x".repeat(1000)).len(), 512);
    }
}
