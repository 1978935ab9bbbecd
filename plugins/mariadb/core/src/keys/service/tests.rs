//! The service over a back end in memory that can be changed, stopped and held up.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;

use strongroom_key_versions::versions::{CouldNotAsk, KeyFault, Loaded, OnLoss, VersionedKey};

use super::*;

/// A back end in memory.
#[derive(Default)]
pub(crate) struct Bench {
    keys: Mutex<Vec<(u32, u32, u8)>>,
    /// Versions that are there and cannot be used. With any such list, even an empty one, the bench behaves like a key server.
    unusable: Mutex<Option<Vec<(u32, u32)>>>,
    away: AtomicBool,
    questions: AtomicUsize,
    /// Whether the next question panics, and whether one has.
    panics: AtomicBool,
    panicked: AtomicBool,
    /// While this is locked, questions wait.
    gate: Mutex<()>,
    /// The only key whose questions wait, where it is not 0.
    gated: AtomicU32,
    /// Milliseconds that others wait for an answer at most; 0 for the usual time.
    patience_ms: AtomicU64,
}

impl Bench {
    pub(crate) fn with(keys: &[(u32, u32, u8)]) -> Arc<Self> {
        let bench = Self::default();
        bench.set(keys);
        Arc::new(bench)
    }

    pub(crate) fn set(&self, keys: &[(u32, u32, u8)]) {
        *lock(&self.keys) = keys.to_vec();
    }

    /// A key server, with these versions that cannot be used.
    pub(crate) fn set_unusable(&self, unusable: &[(u32, u32)]) {
        *lock(&self.unusable) = Some(unusable.to_vec());
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }

    pub(crate) fn panic_once(&self) {
        self.panics.store(true, Ordering::SeqCst);
    }

    pub(crate) fn has_panicked(&self) -> bool {
        self.panicked.load(Ordering::SeqCst)
    }

    /// The answer of the moment at which the question came, however long it takes. `about` is 0 for all keys.
    fn answer(&self, about: u32, wanted: impl Fn(u32, u32) -> bool) -> Result<Vec<VersionedKey>, LoadError> {
        let keys = lock(&self.keys).clone();
        self.questions.fetch_add(1, Ordering::SeqCst);
        if self.panics.swap(false, Ordering::SeqCst) {
            self.panicked.store(true, Ordering::SeqCst);
            panic!("on purpose");
        }
        let gated = self.gated.load(Ordering::SeqCst);
        if gated == 0 || gated == about {
            drop(lock(&self.gate));
        }
        if self.away.load(Ordering::SeqCst) {
            let refused = std::io::Error::other("vault.example:5696: connection refused");
            return Err(CouldNotAsk::new(refused, true).into());
        }
        Ok(keys
            .iter()
            .filter(|&&(id, version, _)| wanted(id, version))
            .map(|&(id, version, byte)| VersionedKey {
                id: KeyId(id),
                version: KeyVersion::new(version).expect("a version"),
                material: KeyMaterial::new(&[byte; 32]),
            })
            .collect())
    }
}

pub(crate) struct Backend(pub(crate) Arc<Bench>);

impl VersionedKeys for Backend {
    fn load(&self) -> Result<Vec<VersionedKey>, LoadError> {
        self.0.answer(0, |_, _| true)
    }

    fn load_usable(&self) -> Result<Loaded, LoadError> {
        let keys = self.load()?;
        let unusable = lock(&self.0.unusable).clone().unwrap_or_default();
        let unusable = unusable.into_iter().map(|(id, version)| Unusable {
            id: KeyId(id),
            version: KeyVersion::new(version).expect("a version"),
            name: format!("mariadb/{id}/{version}"),
            fault: KeyFault::NotRaw,
        });
        Ok(Loaded { keys, unusable: unusable.collect() })
    }

    fn on_loss(&self) -> OnLoss {
        if lock(&self.0.unusable).is_some() { OnLoss::KeepAndGoOn } else { OnLoss::RefuseAll }
    }

    fn key(&self, id: KeyId) -> Result<Vec<VersionedKey>, LoadError> {
        self.0.answer(id.0, |other, _| other == id.0)
    }

    fn version(&self, id: KeyId, version: KeyVersion) -> Result<Option<VersionedKey>, LoadError> {
        Ok(self.0.answer(id.0, |other, number| (other, number) == (id.0, version.number()))?.pop())
    }

    fn patience(&self) -> Duration {
        match self.0.patience_ms.load(Ordering::SeqCst) {
            0 => Duration::from_secs(60),
            milliseconds => Duration::from_millis(milliseconds),
        }
    }
}

fn service(bench: &Arc<Bench>) -> KeyService {
    KeyService::start(Log { plugin: "test" }, Box::new(Backend(Arc::clone(bench))), None).expect("starts")
}

fn latest(service: &KeyService, id: u32) -> Option<u32> {
    service.latest(KeyId(id)).map(KeyVersion::number)
}

fn bytes(service: &KeyService, id: u32, version: u32) -> Option<Vec<u8>> {
    let version = KeyVersion::new(version).expect("a version");
    service.material(KeyId(id), version).map(|material| material.as_bytes().to_vec())
}

#[test]
fn what_was_loaded_is_served_without_asking() {
    let bench = Bench::with(&[(1, 1, 0x11), (1, 3, 0x13), (9, 2, 0x92)]);
    let service = service(&bench);
    bench.set_away(true);
    for _ in 0..100 {
        assert_eq!(latest(&service, 1), Some(3));
        assert_eq!(bytes(&service, 1, 1), Some(vec![0x11; 32]));
        assert_eq!(bytes(&service, 9, 2), Some(vec![0x92; 32]));
    }
    assert_eq!(bench.questions(), 1, "the load at start");
}

#[test]
fn without_the_key_server_there_is_no_start() {
    let bench = Bench::with(&[(1, 1, 1)]);
    bench.set_away(true);
    let error =
        KeyService::start(Log { plugin: "test" }, Box::new(Backend(bench)), None).err().expect("no start");
    assert!(error.to_string().contains("vault.example:5696"), "{error}");
}

#[test]
fn page_writes_do_not_wait_for_a_conversation_under_way() {
    let bench = Bench::with(&[(1, 1, 1)]);
    let service = Arc::new(service(&bench));
    let held_up = lock(&bench.gate);
    let reloading = std::thread::spawn({
        let service = Arc::clone(&service);
        move || service.reload().is_ok()
    });
    while bench.questions() < 2 {
        std::thread::yield_now();
    }
    let (tell, told) = mpsc::channel();
    let writing = std::thread::spawn({
        let service = Arc::clone(&service);
        move || {
            let _ = tell.send((latest(&service, 1), bytes(&service, 1, 1)));
        }
    });
    let answer =
        told.recv_timeout(Duration::from_secs(20)).expect("an answer while the key server is silent");
    assert_eq!(answer, (Some(1), Some(vec![1; 32])));
    drop(held_up);
    assert!(reloading.join().expect("joins"));
    writing.join().expect("joins");
}

#[test]
fn a_reload_brings_new_keys_and_versions() {
    let bench = Bench::with(&[(1, 1, 1)]);
    let service = service(&bench);
    bench.set(&[(1, 1, 1), (1, 3, 3), (5, 1, 5)]);
    service.reload().expect("reloads");
    assert_eq!((latest(&service, 1), latest(&service, 5)), (Some(3), Some(1)));
    assert_eq!(bytes(&service, 1, 1), Some(vec![1; 32]), "the old version stays");
}

#[test]
fn a_reload_that_would_take_something_away_changes_nothing() {
    let bench = Bench::with(&[(1, 1, 1), (1, 3, 3), (2, 1, 2)]);
    let service = service(&bench);
    for poorer in [
        &[][..],
        &[(1, 1, 1), (1, 3, 3)],
        &[(1, 1, 1), (2, 1, 2)],
        &[(1, 3, 3), (2, 1, 2)],
        &[(1, 1, 1), (1, 3, 9), (2, 1, 2)],
    ] {
        bench.set(poorer);
        let error = service.reload().expect_err("refused");
        let ReloadError::Load(error) = error else { panic!("{error}") };
        assert!(matches!(*error, LoadError::Refused(_)), "{error}");
        assert_eq!(service.health().0, error.to_string());
        assert_eq!((latest(&service, 1), latest(&service, 2)), (Some(3), Some(1)));
        assert_eq!((bytes(&service, 1, 1), bytes(&service, 1, 3)), (Some(vec![1; 32]), Some(vec![3; 32])));
    }
}

#[test]
fn an_outage_is_served_from_memory_and_told_in_the_health() {
    let bench = Bench::with(&[(1, 1, 1)]);
    let service = service(&bench);
    assert_eq!(service.health().0, "OK");
    bench.set_away(true);
    assert!(service.reload().is_err());
    assert!(service.health().0.contains("connection refused"), "{:?}", service.health());
    assert_eq!(latest(&service, 1), Some(1));
    bench.set_away(false);
    service.reload().expect("reloads");
    assert_eq!(service.health().0, "OK");
}

#[test]
fn an_unknown_key_or_version_is_asked_for_once_and_found_when_it_exists() {
    let bench = Bench::with(&[(1, 1, 1)]);
    let service = service(&bench);
    assert_eq!((latest(&service, 7), latest(&service, 7), latest(&service, 7)), (None, None, None));
    assert_eq!(bench.questions(), 2, "three times no, asked for once");
    bench.set(&[(1, 1, 1), (1, 3, 3), (8, 4, 8)]);
    assert_eq!(latest(&service, 8), Some(4), "a key made after the start");
    assert_eq!(bytes(&service, 1, 3), Some(vec![3; 32]), "a version made after the start");
    assert_eq!(latest(&service, 1), Some(3));
    assert_eq!(bytes(&service, 1, 2), None);
    let asked = bench.questions();
    assert_eq!(bytes(&service, 1, 2), None);
    assert_eq!(bench.questions(), asked);
    service.reload().expect("a reload after single finds");
}

#[test]
fn a_flush_asks_again_for_what_was_absent() {
    let bench = Bench::with(&[(1, 1, 1)]);
    let service = service(&bench);
    assert_eq!(latest(&service, 7), None);
    bench.set(&[(1, 1, 1), (7, 1, 7)]);
    service.reload().expect("reloads");
    assert_eq!(latest(&service, 7), Some(1));
}

#[test]
fn while_the_key_server_is_away_only_the_first_unknown_key_waits_for_it() {
    let bench = Bench::with(&[(1, 1, 1)]);
    let service = service(&bench);
    bench.set_away(true);
    for id in 10..60 {
        assert_eq!(latest(&service, id), None);
    }
    assert_eq!(bench.questions(), 2);
}

#[test]
fn a_version_found_alone_cannot_change_the_bytes_of_another() {
    let bench = Bench::with(&[(1, 1, 1)]);
    let service = service(&bench);
    bench.set(&[(1, 1, 9), (1, 5, 5)]);
    assert_eq!(bytes(&service, 1, 5), Some(vec![5; 32]));
    assert_eq!(bytes(&service, 1, 1), Some(vec![1; 32]));
    assert!(service.reload().is_err(), "the changed bytes come to light here");
}

#[test]
fn what_a_key_server_lost_is_served_from_memory_and_the_rest_goes_on() {
    let bench = Bench::with(&[(1, 1, 1), (1, 3, 3), (2, 1, 2)]);
    bench.set_unusable(&[]);
    let service = service(&bench);
    // Version 1 of key 1 and all of key 2 were destroyed; key 1 was rotated and key 5 made.
    bench.set(&[(1, 3, 3), (1, 5, 5), (5, 1, 9)]);
    let reloaded = service.reload().expect("reloads");
    assert_eq!(reloaded.later, [(KeyId(1), KeyVersion::new(5).expect("a version"))]);
    assert_eq!(reloaded.flaws.len(), 2, "{:?}", reloaded.flaws);
    assert_eq!((latest(&service, 1), latest(&service, 2), latest(&service, 5)), (Some(5), Some(1), Some(1)));
    assert_eq!((bytes(&service, 1, 1), bytes(&service, 2, 1)), (Some(vec![1; 32]), Some(vec![2; 32])));
    assert!(service.health().0.contains("version 1 of key 1 is gone"), "{}", service.health().0);
    // A lower latest version and other bytes are not believed.
    bench.set(&[(1, 1, 1), (1, 3, 3), (2, 1, 9), (5, 1, 9), (5, 3, 10)]);
    service.reload().expect("reloads");
    assert_eq!((latest(&service, 1), latest(&service, 5)), (Some(5), Some(3)));
    assert_eq!(bytes(&service, 2, 1), Some(vec![2; 32]));
    // A server with no keys at all is not the one it was.
    bench.set(&[]);
    let refused =
        |error| matches!(error, ReloadError::Load(error) if matches!(*error, LoadError::Refused(_)));
    assert!(service.reload().is_err_and(refused));
    bench.set(&[(1, 1, 1), (1, 3, 3), (1, 5, 5), (2, 1, 2), (5, 1, 9), (5, 3, 10)]);
    assert!(service.reload().expect("reloads").flaws.is_empty());
    assert_eq!(service.health().0, "OK");
}

#[test]
fn a_version_that_cannot_be_used_costs_no_other_key() {
    let bench = Bench::with(&[(1, 1, 1), (1, 3, 3), (2, 1, 2), (40, 1, 4)]);
    bench.set_unusable(&[(1, 2), (40, 3), (41, 1)]);
    let service = service(&bench);
    assert_eq!((latest(&service, 1), latest(&service, 2)), (Some(3), Some(1)));
    assert!(service.snapshot().latest(KeyId(40)).is_none(), "data may have been written with version 3");
    let said = service.health().0;
    assert!(
        said.contains("\"mariadb/1/2\"") && said.contains("key 40 is not served") && said.contains("41/1"),
        "{said}"
    );
    // What is in use stays in use, with the version it had.
    bench.set(&[(2, 1, 2), (40, 1, 4)]);
    bench.set_unusable(&[(1, 1), (1, 3), (1, 5)]);
    service.reload().expect("reloads");
    assert_eq!((latest(&service, 1), latest(&service, 40)), (Some(3), Some(1)));
    assert_eq!(bytes(&service, 1, 1), Some(vec![1; 32]));
}

#[test]
fn without_a_usable_key_1_there_is_no_start_and_the_reason_is_told() {
    let start = |bench: &Arc<Bench>| {
        KeyService::start(Log { plugin: "test" }, Box::new(Backend(Arc::clone(bench))), None)
            .err()
            .expect("no start")
    };
    let bench = Bench::with(&[(1, 1, 1), (2, 1, 2)]);
    bench.set_unusable(&[(1, 3)]);
    let error = start(&bench);
    assert!(
        matches!(error, StartError::SystemKey(_)) && error.to_string().contains("mariadb/1/3"),
        "{error}"
    );
    bench.set(&[(2, 1, 2)]);
    bench.set_unusable(&[]);
    assert!(matches!(start(&bench), StartError::NoSystemKey));
}

#[test]
fn many_unknown_versions_are_few_questions_and_a_served_key_is_served_all_the_same() {
    let bench = Bench::with(&[(1, 1, 1)]);
    let service = service(&bench);
    for version in 2..2_000 {
        assert_eq!(bytes(&service, 1, version), None);
        assert_eq!(latest(&service, 1), Some(1));
    }
    assert!(bench.questions() < 500, "{}", bench.questions());
    bench.set(&[(1, 1, 1), (1, 3, 3)]);
    service.reload().expect("reloads");
    assert_eq!(bytes(&service, 1, 3), Some(vec![3; 32]));
}

/// Runs `work` on a thread of its own. Whoever waits for the answer fails rather than wait for ever.
fn aside<T: Send + 'static>(
    service: &Arc<KeyService>,
    work: impl FnOnce(&KeyService) -> T + Send + 'static,
) -> mpsc::Receiver<T> {
    let (tell, told) = mpsc::channel();
    let service = Arc::clone(service);
    std::thread::spawn(move || {
        let _ = tell.send(work(&service));
    });
    told
}

fn answer<T>(told: &mpsc::Receiver<T>) -> T {
    told.recv_timeout(Duration::from_secs(20)).expect("an answer, though others wait for the source")
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_question_that_hangs_keeps_no_other_question_waiting() {
    let bench = Bench::with(&[(1, 1, 1)]);
    let service = Arc::new(service(&bench));
    bench.set(&[(1, 1, 1), (1, 3, 3), (7, 1, 7), (8, 1, 8)]);
    bench.gated.store(7, Ordering::SeqCst);
    let gate = lock(&bench.gate);
    let hanging = aside(&service, |service| latest(service, 7));
    until("it is asked for key 7", || bench.questions() == 2);
    assert_eq!(answer(&aside(&service, |service| latest(service, 8))), Some(1));
    assert_eq!(answer(&aside(&service, |service| bytes(service, 1, 3))), Some(vec![3; 32]));
    assert_eq!(answer(&aside(&service, |service| latest(service, 9))), None);
    assert!(answer(&aside(&service, |service| service.reload().is_ok())));
    drop(gate);
    assert_eq!(answer(&hanging), Some(1));
}

#[test]
fn a_reload_that_hangs_keeps_no_look_up_waiting_and_does_not_undo_what_it_found() {
    for is_server in [false, true] {
        let bench = Bench::with(&[(1, 1, 1)]);
        if is_server {
            bench.set_unusable(&[]);
        }
        let service = Arc::new(service(&bench));
        let gate = lock(&bench.gate);
        let reloading = aside(&service, |service| service.reload().map(|reloaded| reloaded.flaws.clone()));
        until("it is asked for all keys", || bench.questions() == 2);
        // Made after the answer to the reload was given.
        bench.set(&[(1, 1, 1), (1, 3, 3), (7, 1, 7)]);
        bench.gated.store(u32::MAX, Ordering::SeqCst);
        assert_eq!(answer(&aside(&service, |service| latest(service, 7))), Some(1));
        assert_eq!(answer(&aside(&service, |service| bytes(service, 1, 3))), Some(vec![3; 32]));
        drop(gate);
        assert_eq!(answer(&reloading).expect("is not refused"), Vec::<String>::new(), "nothing was lost");
        assert_eq!((latest(&service, 1), latest(&service, 7)), (Some(3), Some(1)));
    }
}

#[test]
fn many_who_ask_the_same_are_one_question() {
    let bench = Bench::with(&[(1, 1, 1)]);
    let service = Arc::new(service(&bench));
    bench.set(&[(1, 1, 1), (7, 1, 7)]);
    let gate = lock(&bench.gate);
    let asking: Vec<_> = (0..6).map(|_| aside(&service, |service| latest(service, 7))).collect();
    until("all the others wait for the first", || service.flights.waiting() == 5);
    drop(gate);
    for asking in asking {
        assert_eq!(answer(&asking), Some(1));
    }
    assert_eq!(bench.questions(), 2);
}

#[test]
fn who_waits_for_the_answer_to_another_gives_up_in_time() {
    let bench = Bench::with(&[(1, 1, 1)]);
    let service = Arc::new(service(&bench));
    bench.set(&[(1, 1, 1), (7, 1, 7)]);
    bench.patience_ms.store(1, Ordering::SeqCst);
    let gate = lock(&bench.gate);
    let hanging = aside(&service, |service| latest(service, 7));
    until("it is asked for key 7", || bench.questions() == 2);
    assert_eq!(answer(&aside(&service, |service| latest(service, 7))), None);
    let reloading = aside(&service, |service| service.reload().is_ok());
    until("it is asked for all keys", || bench.questions() == 3);
    let error = answer(&aside(&service, |service| service.reload().map(|_| ()))).expect_err("gives up");
    assert!(matches!(error, ReloadError::Busy) && error.to_string().contains("those in memory are used"));
    // No more questions are under way than there is room for.
    let many: Vec<_> = (20..23).map(|id| aside(&service, move |service| latest(service, id))).collect();
    until("the room is used up", || bench.questions() == 6);
    assert_eq!(answer(&aside(&service, |service| latest(service, 30))), None);
    assert_eq!(bench.questions(), 6);
    assert_eq!(answer(&aside(&service, |service| latest(service, 1))), Some(1), "a served key needs no room");
    drop(gate);
    assert_eq!((answer(&hanging), answer(&reloading)), (Some(1), true));
    for asking in many {
        assert_eq!(answer(&asking), None);
    }
}

#[test]
fn a_reload_is_newer_than_the_wish_for_it_and_shared_by_all_who_wait() {
    let bench = Bench::with(&[(1, 1, 1)]);
    let service = Arc::new(service(&bench));
    let gate = lock(&bench.gate);
    let old = aside(&service, |service| service.reload().is_ok());
    until("it is asked for all keys", || bench.questions() == 2);
    bench.set(&[(1, 1, 1), (1, 3, 3)]);
    let new: Vec<_> =
        (0..5).map(|_| aside(&service, |service| (service.reload().is_ok(), latest(service, 1)))).collect();
    until("all of them wait", || service.flights.waiting() == 5);
    drop(gate);
    assert!(answer(&old));
    for new in new {
        assert_eq!(answer(&new), (true, Some(3)));
    }
    assert_eq!(bench.questions(), 3, "one question for the five");
}

#[test]
fn a_panic_leaves_no_mark_behind() {
    let bench = Bench::with(&[(1, 1, 1)]);
    let service = Arc::new(service(&bench));
    bench.set(&[(1, 1, 1), (7, 1, 7)]);
    for work in
        [|service: &KeyService| latest(service, 7).is_some(), |service: &KeyService| service.reload().is_ok()]
    {
        bench.panic_once();
        let panicked = aside(&service, work);
        assert!(panicked.recv_timeout(Duration::from_secs(20)).is_err() && bench.has_panicked());
        assert!(answer(&aside(&service, work)), "asked again as if nothing had been");
    }
}

#[test]
fn served_keys_are_served_while_every_lock_is_held() {
    let service = Arc::new(service(&Bench::with(&[(1, 1, 1)])));
    let (_publishing, _health) = (lock(&service.publishing), lock(&service.health));
    let _flights = service.flights.hold();
    assert_eq!(
        answer(&aside(&service, |service| (latest(service, 1), bytes(service, 1, 1)))),
        (Some(1), Some(vec![1; 32]))
    );
}

#[test]
fn a_reload_without_news_keeps_no_second_set() {
    let bench = Bench::with(&[(1, 1, 1)]);
    let service = service(&bench);
    let first = service.snapshot();
    service.reload().expect("reloads");
    assert!(Arc::ptr_eq(&first, &service.snapshot()));
    bench.set(&[(1, 1, 1), (1, 3, 3)]);
    service.reload().expect("reloads");
    let second = service.snapshot();
    let bytes = |set: &KeySet| Arc::as_ptr(set.material(KeyId(1), KeyVersion::FIRST).expect("is served"));
    assert_eq!((second.versions(), bytes(&second)), (2, bytes(&first)), "what is the same is shared");
}
