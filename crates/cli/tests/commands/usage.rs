//! Usage, errors and exit codes as data: `tests/cases/*.trycmd`.

#[test]
fn the_cases_hold() {
    trycmd::TestCases::new()
        .register_bin("strongroom", std::path::Path::new(env!("CARGO_BIN_EXE_strongroom")))
        .env("NO_COLOR", "1")
        .case("tests/cases/*.trycmd");
}
