//! A file that is published whole or not at all.

use std::path::Path;

use strongroom_tablespace::disk::draft::{self, Draft, Place};

use crate::simulated::{SimulatedDisk, every_fault};

#[test]
fn a_draft_is_there_whole_or_not_at_all_whatever_goes_wrong() {
    let path = Path::new("d/t.ibd");
    let (old, new) = (vec![1; 5000], vec![2; 6000]);
    for place in [Place::Free, Place::Taken] {
        let files = || (place == Place::Taken).then(|| (path, old.clone()));
        let states = every_fault(
            || SimulatedDisk::new(files()),
            |disk| {
                let draft = Draft::new(disk, path).map_err(|error| error.to_string())?;
                for (at, chunk) in new.chunks(2048).enumerate() {
                    draft.file().write_at(chunk, 2048 * at as u64).map_err(|error| error.to_string())?;
                }
                draft.publish(place).map_err(|error| error.to_string())
            },
            |disk, done, story| {
                let content = disk.content(path);
                let is_old = content == (place == Place::Taken).then(|| old.clone());
                assert!((is_old && !done) || content.as_ref() == Some(&new), "{story}");
                let others = disk.names().into_iter().filter(|name| name != path);
                assert!(others.clone().all(|name| name == draft::draft_name(path)), "{story}");
            },
        );
        assert!(states > 50);
    }
}
