//! What we use of the server we were loaded into.
//!
//! MariaDB offers plugins a table of services for this, whose versions differ between series, so that one library
//! could not serve both. The functions behind the services are exported under the same names everywhere, and are
//! looked up when they are needed. A helper such as mariadb-backup has only some of them.

mod error;
mod log;
mod privilege;
mod thread;
mod time;
mod version;

pub use error::{log_error, report_error, report_note, report_warning};
pub use log::Log;
pub use privilege::{Privilege, current_user_has, user_has};
pub use thread::ServerThread;
pub use time::utc;
pub use version::{ServerVersion, server_version};
