//! Runs the supervisor through the scenarios that every shell has to pass.

mod places;

use std::{
    process::{Command, Output},
    thread,
};

use places::{python, repository};

/// How many scenarios run at once; most of each is waiting.
const LANES: usize = 4;

fn kit(arguments: &[&str], driver: &[&str]) -> Output {
    let mut command = Command::new(python());
    command.arg(repository().join("shells/conformance/run.py")).args(arguments).env("ASTER_PYTHON", python());
    if !driver.is_empty() {
        command.arg("--").args(driver);
    }
    command.output().expect("the kit runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn scenarios() -> Vec<String> {
    let listed = kit(&["--list"], &[]);
    assert!(listed.status.success(), "{}", text(&listed));
    text(&listed).lines().filter_map(|line| Some(line.split_once('\t')?.0.to_owned())).collect()
}

#[test]
fn every_scenario_is_passed() {
    let names = scenarios();
    assert!(names.len() >= 25, "only {} scenarios", names.len());
    let lane = |first: usize| {
        let only: Vec<&str> =
            names.iter().skip(first).step_by(LANES).flat_map(|name| ["--only", name.as_str()]).collect();
        kit(&only, &[env!("CARGO_BIN_EXE_aster-supervisor-driver")])
    };
    let lanes: Vec<Output> = thread::scope(|scope| {
        let running: Vec<_> = (0..LANES).map(|first| scope.spawn(move || lane(first))).collect();
        running.into_iter().map(|one| one.join().expect("a lane ends")).collect()
    });
    for lane in &lanes {
        println!("{}", text(lane));
    }
    assert!(lanes.iter().all(|lane| lane.status.success()));
    let passed: usize =
        lanes.iter().map(|lane| text(lane).lines().filter(|line| line.starts_with("ok ")).count()).sum();
    assert_eq!(passed, names.len());
}

#[test]
fn a_driver_that_does_not_do_what_a_scenario_says_fails_it() {
    let failed = kit(&["--only", "40-not-there", "--wait-s", "1"], &["cat"]);
    assert!(!failed.status.success());
    assert!(text(&failed).contains("FAILED  40-not-there"), "{}", text(&failed));
}
