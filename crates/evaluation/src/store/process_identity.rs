//! Names of processes and of this machine, and whether a named process has ended.

use std::fs;

/// A text that names this process among all that ever ran on this machine: boot, process number,
/// start time, and the namespace that the number belongs to. Four words.
pub(crate) fn this_process() -> String {
    identity_of(std::process::id())
}

/// The name of this machine; empty without /proc.
pub(crate) fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// Whether the process named at the start of `owner` is known to have ended.
///
/// `false` where that cannot be known: without /proc, and for processes of another machine, another
/// boot or another container.
pub(crate) fn has_ended(owner: &str) -> bool {
    let mut words = owner.split(' ');
    let (Some(boot), Some(pid), Some(started)) = (words.next(), words.next(), words.next()) else {
        return false;
    };
    // Older stores name no namespace.
    let namespace = words.next().map(str::to_owned);
    let here = boot_id();
    if here.is_empty() || boot != here || namespace.is_some_and(|other| other != self::namespace())
    {
        return false;
    }
    pid.parse().is_ok_and(|pid| start_time(pid) != started)
}

fn identity_of(pid: u32) -> String {
    format!("{} {pid} {} {}", boot_id(), start_time(pid), namespace())
}

/// Empty without /proc.
fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// Such as `pid:[4026531836]`; empty without /proc.
fn namespace() -> String {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().into_owned()
}

/// Field 22 of /proc/PID/stat, clock ticks from boot to the start of the process.
fn start_time(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The command's name stands in parentheses and may hold anything; the state follows it. A
    // zombie has ended.
    let mut fields = stat
        .rsplit_once(')')
        .map_or("", |(_, rest)| rest)
        .split_whitespace();
    match fields.next() {
        None | Some("Z" | "X") => "gone".to_owned(),
        Some(_) => fields.nth(18).unwrap_or("gone").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_alive_until_it_ends() {
        assert!(!has_ended(&this_process()));
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let identity = identity_of(child.id());
        assert!(!has_ended(&identity));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(has_ended(&identity));
        assert!(has_ended(&format!("{identity} 3.17")));
        // As older stores wrote it.
        let short: Vec<&str> = identity.split(' ').take(3).collect();
        assert!(has_ended(&short.join(" ")));
    }

    #[test]
    fn what_cannot_be_known_is_not_said() {
        let elsewhere = this_process().replace("pid:[", "pid:[9");
        for unknown in ["", " 5 gone", "another-boot 1 5", &elsewhere] {
            assert!(!has_ended(unknown), "{unknown}");
        }
        assert!(has_ended(&format!(
            "{} 4000000000 5 {}",
            boot_id(),
            namespace()
        )));
    }
}
