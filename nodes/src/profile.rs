//! Where the process spends its time, asked for while it runs.

use pprof::{Frames, ProfilerGuardBuilder};
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::Semaphore;

/// Looks a second of each running thread: no multiple of what else happens each so many milliseconds, and less than a hundredth of the time.
const FREQUENCY: i32 = 99;
/// What a look must not interrupt: the unwinder, which it needs itself.
const NOT_WITHIN: [&str; 1] = ["libgcc"];
/// What stands for a stack that could not be followed, as `perf` writes it.
const UNKNOWN: &str = "[unknown]";
/// Two at once would count each other's signals.
static ONE_AT_A_TIME: Semaphore = Semaphore::const_new(1);

/// Looks on for so long, and gives what was seen as folded stacks: a line for each stack, the outermost function first, `;` between two, behind it how often it
/// was seen. Flame graphs are drawn of it (`inferno-flamegraph`, speedscope).
///
/// # Errors
/// Why not: somebody else looks on, or the system does not let it. A repetition is safe.
pub async fn of_cpu(time: Duration) -> Result<String, String> {
    let Ok(_only) = ONE_AT_A_TIME.try_acquire() else {
        return Err("somebody else takes a profile: try again when theirs is done".to_owned());
    };
    let guard = ProfilerGuardBuilder::default().frequency(FREQUENCY).blocklist(&NOT_WITHIN).build().map_err(|error| error.to_string())?;
    tokio::time::sleep(time).await;
    // Names of functions are looked up in the binary's own tables, which takes a second.
    let fold = tokio::task::spawn_blocking(move || guard.report().build().map(|report| folded(&report.data)));
    fold.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

fn folded(seen: &std::collections::HashMap<Frames, isize>) -> String {
    let mut stacks = BTreeMap::<String, isize>::new();
    for (frames, count) in seen {
        let thread = if frames.thread_name.is_empty() { "unnamed".to_owned() } else { frames.thread_name.clone() };
        // What is inlined stands before what it is inlined into.
        let functions = frames.frames.iter().rev().flat_map(|frame| frame.iter().rev()).map(|symbol| symbol.name().replace(';', ":"));
        let mut stack: Vec<_> = std::iter::once(thread).chain(functions).collect();
        // A thread may be seen where its stack cannot be followed, such as in the middle of a system call's way back.
        if stack.len() == 1 {
            stack.push(UNKNOWN.to_owned());
        }
        *stacks.entry(stack.join(";")).or_default() += count;
    }
    stacks.into_iter().map(|(stack, count)| format!("{stack} {count}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn a_stack_that_cannot_be_followed_is_a_stack_of_something_unknown() {
        let seen = Frames { frames: Vec::new(), thread_name: "worker".to_owned(), thread_id: 1, sample_timestamp: SystemTime::UNIX_EPOCH };
        assert_eq!(folded(&[(seen, 3)].into()), "worker;[unknown] 3\n");
    }
}
