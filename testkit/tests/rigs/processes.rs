use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use strongroom_testkit::folder::Scratch;
use strongroom_testkit::port::Port;
use strongroom_testkit::process::{Launch, Process, wait_until};

fn sleeper(scratch: &Scratch) -> Process {
    Launch::new("/bin/sh", scratch.path().join("log"))
        .args(["-c", "echo ready; echo also >&2; sleep 600 & wait"])
        .start()
        .expect("a shell can be started")
}

fn exists(pid: u32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}

/// Every process whose parent or process group is `group`, as `ps` sees them.
fn group_members(group: u32) -> usize {
    let output = Command::new("ps").args(["-eo", "pgid=,stat="]).output().expect("ps runs");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(&group.to_string()) && !words.next().unwrap_or("Z").starts_with('Z')
        })
        .count()
}

#[test]
fn dropping_a_server_ends_it_and_its_helpers() {
    let scratch = Scratch::new("process");
    let process = sleeper(&scratch);
    let pid = process.id();
    assert!(
        wait_until(Duration::from_secs(10), || (process.log() == "ready\nalso\n").then_some(())).is_some()
    );
    assert_eq!(group_members(pid), 2);
    drop(process);
    assert!(!exists(pid));
    assert!(wait_until(Duration::from_secs(10), || (group_members(pid) == 0).then_some(())).is_some());
}

#[test]
fn a_server_outlives_the_thread_that_started_it() {
    let scratch = Scratch::new("process");
    let mut process =
        std::thread::scope(|scope| scope.spawn(|| sleeper(&scratch)).join().expect("it starts"));
    assert!(wait_until(Duration::from_secs(10), || process.log().contains("also").then_some(())).is_some());
    assert_eq!(process.ended(), None);
    assert!(process.terminate(Duration::from_secs(10)).is_some());
}

#[test]
fn a_paused_server_still_ends() {
    let scratch = Scratch::new("process");
    let mut process = sleeper(&scratch);
    process.pause();
    assert!(
        process.terminate(Duration::from_millis(100)).is_none(),
        "a stopped process does not see SIGTERM"
    );
    process.kill9();
    assert!(process.ended().is_some());
}

#[test]
fn a_reserved_port_is_free_and_given_only_once() {
    let ports: Vec<Port> = (0..20).map(|_| Port::reserve()).collect();
    let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 20);
    let listener = TcpListener::bind(ports[0].address()).expect("nothing listens there");
    assert!(TcpStream::connect(ports[0].address()).is_ok());
    drop(listener);
}

/// Does nothing by itself: the next test runs it in a process of its own and kills that.
#[test]
fn killed_while_its_server_runs() {
    if std::env::var_os("STRONGROOM_RIGS_WAIT_TO_BE_KILLED").is_some() {
        let scratch = Scratch::new("process");
        let process = Launch::new("/bin/sleep", scratch.path().join("log")).arg("600").start();
        let process = process.expect("it starts");
        println!("server {}", process.id());
        loop {
            std::thread::park();
        }
    }
}

/// A test runner kills what takes too long, and then no destructor runs.
#[test]
fn a_killed_test_leaves_no_server_behind() {
    let scratch = Scratch::new("process");
    let mut test = Command::new(std::env::current_exe().expect("a process knows its program"))
        .args(["--exact", "processes::killed_while_its_server_runs", "--nocapture"])
        .env("STRONGROOM_RIGS_WAIT_TO_BE_KILLED", "yes")
        .env("STRONGROOM_TESTKIT", scratch.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be run");
    let lines = BufReader::new(test.stdout.take().expect("it is piped")).lines();
    let server: u32 = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("server ").and_then(|pid| pid.parse().ok()))
        .expect("it says which process is its server");
    assert!(exists(server));
    test.kill().expect("it can be killed");
    test.wait().expect("it has ended");
    let gone = wait_until(Duration::from_secs(10), || (!exists(server)).then_some(()));
    assert!(gone.is_some(), "process {server} has outlived its test");
}
