use std::fs;

/// A text that names this process among all that ever ran: boot, process number, start time.
pub(super) fn this_process() -> String {
    identity_of(std::process::id())
}

/// Whether the process that wrote `identity` still runs on this machine.
///
/// A process of another boot or of another machine counts as gone: at worst a result is then
/// computed twice.
pub(super) fn is_alive(identity: &str) -> bool {
    identity
        .split(' ')
        .nth(1)
        .and_then(|text| text.parse().ok())
        .is_some_and(|pid| identity_of(pid) == identity)
}

fn identity_of(pid: u32) -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    format!("{} {pid} {}", boot.trim(), start_time(pid))
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
        assert!(is_alive(&this_process()));
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let identity = identity_of(child.id());
        assert!(is_alive(&identity));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_alive(&identity));
        assert!(!is_alive(""));
        assert!(!is_alive("another-boot 1 5"));
    }
}
