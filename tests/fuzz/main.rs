//! Hostile bytes: whatever comes from a stream, a table or a file must be taken or refused, never end in a panic, in no
//! end, or in memory without bound.
//!
//! Valid inputs, and those of `corpus/`, are changed as damage or malice would change them ([`mutate`]), some seconds for
//! each target. An input that fails is kept in `corpus/`, which each run begins with. (One that ends the process, by
//! overflow of the stack, cannot be: the same seeds meet it again.)
//!
//! `FUZZ_SECONDS=n` goes on so long with each target, `FUZZ_TARGET=name` takes one alone, `FIRST_SEED=n` begins there.

mod items;
mod journals;
mod mutate;
mod settings;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;
use mutate::mutate;
use peak_alloc::PeakAlloc;
use targets::{Target, targets};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// How long an ordinary run stays with each target.
const ORDINARY: u64 = 4;
/// No input may take longer, also on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(10);

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is to be a number, not {text:?}")))
}

#[test]
fn hostile_bytes_are_taken_or_refused() {
    let only = std::env::var("FUZZ_TARGET").ok();
    let first = variable("FIRST_SEED").unwrap_or(0);
    let pause = Duration::from_secs(variable("FUZZ_SECONDS").unwrap_or(ORDINARY));
    let wanted = targets().into_iter().filter(|target| only.as_deref().is_none_or(|only| only == target.name));
    let problems: Vec<String> = wanted.filter_map(|target| fuzz(&target, first, pause).err()).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The corpus, then what is made of it and of the target's own inputs until time is up.
fn fuzz(target: &Target, first: u64, pause: Duration) -> Result<(), String> {
    let mut inputs = (target.inputs)();
    inputs.extend(corpus(target.name));
    inputs.iter().try_for_each(|input| check(target, input))?;
    let (began, mut tried) = (Instant::now(), 0);
    while began.elapsed() < pause {
        let input = mutate(&mut Rng::with_seed(first + tried), &inputs, target.words, target.longest);
        if let Err(problem) = check(target, &input) {
            let kept = keep(target.name, first + tried, &input);
            return Err(format!("{problem}\nThe input is kept as {}", kept.display()));
        }
        tried += 1;
    }
    println!("{:>12}: {} inputs to begin with, {tried} made of them", target.name, inputs.len());
    Ok(())
}

fn check(target: &Target, input: &[u8]) -> Result<(), String> {
    MEMORY.reset_peak_usage();
    let (before, began) = (MEMORY.current_usage(), Instant::now());
    let ended = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let (bytes, took) = (MEMORY.peak_usage().saturating_sub(before), began.elapsed());
    let (name, length) = (target.name, input.len());
    match ended {
        Err(_) => Err(format!("{name}: an input of {length} bytes ends in a panic")),
        Ok(()) if bytes > (target.memory)(length) => {
            Err(format!("{name}: an input of {length} bytes takes {bytes} bytes of memory"))
        }
        Ok(()) if took > PATIENCE => Err(format!("{name}: an input of {length} bytes takes {took:?}")),
        Ok(()) => Ok(()),
    }
}

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder(target)).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a file of the corpus")).collect()
}

fn keep(target: &str, seed: u64, input: &[u8]) -> PathBuf {
    let path = folder(target).join(format!("found-{seed}"));
    std::fs::create_dir_all(folder(target)).expect("a folder for what was found");
    std::fs::write(&path, input).expect("what was found can be written");
    path
}
