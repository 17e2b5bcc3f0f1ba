//! The whole core in one process, with simulated servers, virtual time and faults made up from a seed.
//!
//! `simulation SEEDS` runs so many worlds, `simulation seed N` replays one and prints what happened in it.
//! A world that breaks a rule prints the command that replays it.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod answers;
mod invariants;
mod notices;
mod old_servers;
mod ports;
mod scenes;
mod script;
mod servers;
mod sim;
mod standing;
mod teleport;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Further worlds, run first, every time. They broke rules when a seed still made other worlds: with every call that the core
/// makes more or less the cards are dealt anew. What must never come back has a scene of its own.
const KEPT: &[u64] = &[3_171, 184, 400, 1_805, 2_196, 11_036, 53_800, 110_321, 66_516, 105_327, 150_829];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| words.get(index).and_then(|word| word.parse::<u64>().ok());
    match words.first().map(String::as_str) {
        Some("seed") => replay(number(1).expect("usage: simulation seed N")),
        // Arguments that only Rust's own test harness knows are passed over.
        _ => run(number(0).unwrap_or(300)),
    }
}

fn replay(seed: u64) -> ExitCode {
    let (violations, trace) = script::run(seed, true);
    println!("{}", trace.join("\n"));
    println!("seed {seed}: {} broken rules", violations.len());
    violations.iter().for_each(|violation| println!("  {violation}"));
    if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(seeds: u64) -> ExitCode {
    let start = Instant::now();
    let all = || scenes::SCENES.iter().chain(standing::SCENES).chain(answers::SCENES);
    for (name, scene) in all() {
        let broken = scene();
        println!("scene: {name} ... {}", if broken.is_empty() { "ok" } else { "FAILED" });
        if let Some(first) = broken.first() {
            println!("  {first}");
            println!("0 passed, 1 failed");
            return ExitCode::FAILURE;
        }
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, failed) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let kept = KEPT.len() as u64;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    if turn >= seeds + kept || failed.load(Ordering::Relaxed) != u64::MAX {
                        return;
                    }
                    let seed = KEPT.get(turn as usize).copied().unwrap_or_else(|| turn - kept);
                    let violations = std::panic::catch_unwind(|| script::run(seed, false).0)
                        .unwrap_or_else(|_| vec!["the core panicked".to_owned()]);
                    if let Some(first) = violations.first() {
                        println!("seed {seed} breaks a rule: {first}");
                        failed.fetch_min(seed, Ordering::Relaxed);
                        return;
                    }
                }
            });
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    let failed = failed.load(Ordering::Relaxed);
    if failed != u64::MAX {
        println!("replay it with: make replay SEED={failed}");
        println!("0 passed, 1 failed");
        return ExitCode::FAILURE;
    }
    let worlds = seeds + kept;
    let passed = worlds + all().count() as u64;
    println!("{worlds} worlds in {seconds:.1} s, {:.0} a second", worlds as f64 / seconds);
    println!("{passed} passed, 0 failed");
    ExitCode::SUCCESS
}
