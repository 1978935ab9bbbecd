//! `component_keyring_kmip`: a keyring component that gives MySQL its keys from a KMIP server.
//!
//! The name is the one under which vendors ship theirs, so that manifests and manuals hold. Everything that the server calls is in
//! `strongroom-mysql-core`.

use strongroom_mysql_core::component;
use strongroom_mysql_core::layout::component::Component;

/// The one symbol that the server looks up: what this library declares.
#[unsafe(no_mangle)]
pub extern "C" fn list_components() -> *mut Component {
    component::declaration()
}
