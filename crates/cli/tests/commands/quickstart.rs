//! The main job in one command, on an empty directory and again on what the first run left.

use strongroom_testkit::mariadb;

use crate::{Ran, args, strongroom};

#[test]
fn it_holds_twice_over_the_same_directory() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("strongroom-data");
    for _ in 0..2 {
        let printed = Ran::of(&mut strongroom(args!["quickstart", "--once", "--dir", &dir])).ok();
        assert!(printed.contains('✓') && !printed.contains('✗'), "{printed}");
    }
}

#[test]
fn it_encrypts_the_tables_of_a_real_mariadb() {
    let installation = strongroom_testkit::need!(mariadb::installation());
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("strongroom-data");
    // Building the default members is what puts the plugin beside the command.
    let _plugin = strongroom_testkit::built::plugin("strongroom_kmip_key_management");
    for _ in 0..2 {
        let mut command = strongroom(args!["quickstart", "--once", "--dir", &dir]);
        if let Some(libraries) = installation.library_path() {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command.env("STRONGROOM_MARIADBD", &installation.program);
        let printed = Ran::of(&mut command).ok();
        assert!(printed.contains("read the rows back"), "{printed}");
    }
}
