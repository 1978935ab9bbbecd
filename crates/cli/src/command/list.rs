//! `strongroom list`: what this endpoint may see, in the columns of `okvutil list`.

use serde::Serialize;
use strongroom_client::Session;
use strongroom_kmip::attribute::{AttributeKind, Attributes};

use super::endpoint_session;
use crate::args::ConfArgs;
use crate::error::Error;
use crate::output::{Output, printable};

/// The headings as `okvutil` prints them: tab stops at columns 40 and 56, which is where its rows' tabs lead.
const HEADINGS: &str = "Unique ID                               Type            Identifier";

/// One object.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// Unique Identifier (KMIP 1.4 §3.1).
    pub(crate) unique_id: String,
    /// Object Type, in the specification's words.
    #[serde(rename = "type")]
    pub(crate) object_type: String,
    /// The first Name.
    pub(crate) identifier: Option<String>,
}

pub(crate) fn run(args: &ConfArgs, output: Output) -> Result<(), Error> {
    let session = endpoint_session::session(&args.conf, output)?;
    let rows = rows(&session)?;
    if output.is_json() {
        return output.json(&rows);
    }
    output.result(table(&rows))
}

/// Everything that the session's endpoint may see.
///
/// # Errors
/// [`Error::Client`]
pub(crate) fn rows(session: &Session) -> Result<Vec<Row>, Error> {
    let ids = session.locate(&Attributes::default()).map_err(Error::Client)?;
    let kinds = [AttributeKind::ObjectType, AttributeKind::Name];
    let attributes = session.get_attributes_many(&ids, &kinds).map_err(Error::Client)?;
    // An object that was destroyed between the two questions has no attributes, and is no longer there.
    let present = ids.into_iter().zip(attributes).filter_map(|(id, found)| Some((id, found?)));
    Ok(present
        .map(|(unique_id, found)| Row {
            unique_id,
            object_type: found.object_type().map_or_else(|| "-".to_owned(), |kind| kind.to_string()),
            identifier: found.name().map(ToOwned::to_owned),
        })
        .collect())
}

fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "no objects found".to_owned();
    }
    let mut table = HEADINGS.to_owned();
    for row in rows {
        let identifier = printable(row.identifier.as_deref().unwrap_or("-"));
        table.push_str(&format!("\n{}\t{}\t{identifier}", printable(&row.unique_id), row.object_type));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_laid_out_as_okvutil_does() {
        let row = |id: &str, identifier: Option<&str>| Row {
            unique_id: id.to_owned(),
            object_type: "Symmetric Key".to_owned(),
            identifier: identifier.map(ToOwned::to_owned),
        };
        assert_eq!(table(&[]), "no objects found");
        assert_eq!(
            table(&[row("255AB8DE-C97F-482C-E053-0100007F28B9", None), row("1", Some("a\tb\u{1b}[2J"))]),
            "Unique ID                               Type            Identifier\n\
             255AB8DE-C97F-482C-E053-0100007F28B9\tSymmetric Key\t-\n\
             1\tSymmetric Key\ta\u{fffd}b\u{fffd}[2J"
        );
    }
}
