//! Usage, errors and exit codes as data: `tests/cases/*.trycmd`.

#[test]
fn the_cases_hold() {
    trycmd::TestCases::new()
        .register_bin("strongroom", std::path::Path::new(env!("CARGO_BIN_EXE_strongroom")))
        .env("NO_COLOR", "1")
        .case("tests/cases/*.trycmd");
}

#[test]
fn a_command_line_that_is_not_understood_is_said_in_json_where_that_is_asked() {
    let ran = crate::Ran::of(
        crate::strongroom(crate::args!["--json", "key", "fetch", "--no-such"])
            .stdin(std::process::Stdio::null()),
    );
    let said: serde_json::Value = serde_json::from_str(&ran.failed(2)).unwrap();
    assert!(said["error"]["message"].as_str().unwrap().contains("--no-such"), "{said}");
    assert_eq!(said["error"]["exit"], 2);
}
