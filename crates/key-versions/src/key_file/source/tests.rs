use tempfile::TempDir;

use super::*;
use crate::versions::KeySet;

const K: &str = "00112233445566778899aabbccddeeff";

struct Bench {
    folder: TempDir,
    file: KeyFile,
}

fn bench(content: &[u8], file_key: &[u8], derivation: Derivation) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    fs::write(&path, content).unwrap();
    let file = KeyFile::new(Some(Location::Path(path)), FileKey::parse(file_key), derivation);
    Bench { folder, file }
}

impl Bench {
    fn write(&self, content: &str) {
        fs::write(self.folder.path().join("keys"), content).unwrap();
    }

    /// The message, with `F` for the path.
    fn error(&self) -> String {
        let error = self.file.load().unwrap_err().to_string();
        error.replace(&*self.folder.path().join("keys").to_string_lossy(), "F")
    }
}

fn plain(content: &str) -> Bench {
    bench(content.as_bytes(), b"", Derivation::default())
}

#[test]
fn a_plain_and_an_encrypted_file_give_the_same_keys() {
    let text = format!("1;{K}\n1;3;{K}{K}\n2;{K}\n");
    let derivation = Derivation { pbkdf2_rounds: 10, ..Derivation::default() };
    let sealed = sealed::seal(text.as_bytes(), b"secret", derivation).unwrap();
    for bench in [plain(&text), bench(&sealed, b"secret", derivation)] {
        let keys = KeySet::from_keys(bench.file.load().unwrap()).unwrap();
        assert_eq!((keys.keys(), keys.versions()), (2, 3));
        assert_eq!(bench.file.key(KeyId(1)).unwrap().len(), 2);
        assert!(bench.file.key(KeyId(3)).unwrap().is_empty());
        let version = |number| bench.file.version(KeyId(1), KeyVersion::new(number).unwrap()).unwrap();
        assert!(version(3).is_some_and(|key| key.material.len() == 32) && version(2).is_none());
    }
}

#[test]
fn every_fault_has_the_words_of_mariadbs_plugin() {
    let text = format!("1;{K}\n");
    let sealed = sealed::seal(text.as_bytes(), b"secret", Derivation::default()).unwrap();
    assert_eq!(bench(&sealed, b"", Derivation::default()).error(), "Cannot decrypt F. Wrong key?");
    assert_eq!(bench(&sealed, b"secreT", Derivation::default()).error(), "Cannot decrypt F. Wrong key?");
    assert_eq!(
        bench(b"Salted__12345678x", b"secret", Derivation::default()).error(),
        "Cannot decrypt F. Wrong key?"
    );
    assert_eq!(
        bench(text.as_bytes(), b"secret", Derivation::default()).error(),
        "Cannot decrypt F. Not encrypted"
    );
    assert_eq!(
        bench(b"Salted__", b"secret", Derivation::default()).error(),
        "Cannot decrypt F. Not encrypted"
    );
    assert_eq!(plain(&format!("1;{K}\n 2 ;{K}")).error(), "Syntax error at F line 2, column 3");
    assert_eq!(plain("").error(), "System key id 1 is missing at F line 0, column 1");
    let bench = plain("");
    fs::remove_file(bench.folder.path().join("keys")).unwrap();
    assert_eq!(bench.error(), "File 'F' not found (Errcode: 2 \"No such file or directory\")");
}

#[test]
fn a_refusal_names_the_line() {
    let bench = plain(&format!("1;{K}\n1;3;{K}{K}\n2;{K}\n"));
    let held = KeySet::from_keys(bench.file.load().unwrap()).unwrap();
    let refusal = |content: String| {
        bench.write(&content);
        let offered = KeySet::from_keys(bench.file.load().unwrap()).unwrap();
        let refused = KeySet::merge(&held, offered).unwrap_err();
        let place = bench.file.place(&refused).unwrap();
        let error = LoadError::RefusedAt(refused, place).to_string();
        error.replace(&*bench.folder.path().join("keys").to_string_lossy(), "F")
    };
    assert_eq!(
        refusal(format!("1;{K}\n1;3;{K}{K}\n")),
        "key 2 is gone from the answer at F line 2, column 1; the keys in use stay as they are"
    );
    assert_eq!(
        refusal(format!("# 3 is gone\n1;{K}\n2;{K}\n")),
        "the latest version of key 1 fell from 3 to 1 at F line 2, column 3; the keys in use stay as they are"
    );
    assert_eq!(
        refusal(format!("1;{K}\n1;3;{K}{K}\n\n2;1;{K}{K}\n")),
        "version 1 of key 2 has other bytes than before at F line 4, column 5; the keys in use stay as they are"
    );
}

#[test]
fn a_pipe_is_not_looked_into_for_a_key_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let file = KeyFile::new(Some(Location::Path(path)), FileKey::None, Derivation::default());
    assert!(file.key(KeyId(7)).unwrap().is_empty());
    assert!(file.version(KeyId(7), KeyVersion::FIRST).unwrap().is_none());
}
