//! Error messages of pw.x, and the kinds of failure that they mean.

use crate::PwFailureKind;

/// A framed error message of pw.x: between two lines of `%`, `Error in routine NAME (CODE):` and
/// a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorBox {
    /// The routine that stopped.
    pub routine: String,
    /// Its code.
    pub code: i64,
    /// Its text, lines joined by a blank.
    pub message: String,
}

impl ErrorBox {
    /// Whether a line is the frame of a box.
    pub(crate) fn is_frame(line: &str) -> bool {
        let line = line.trim();
        line.len() >= 20 && line.bytes().all(|byte| byte == b'%')
    }

    /// Adds a line found inside the frame.
    pub(crate) fn add_line(&mut self, line: &str) {
        let line = line.trim();
        let header = line
            .find("rror in routine")
            .map(|start| line[start + "rror in routine".len()..].trim());
        match header {
            Some(header) if self.routine.is_empty() => {
                let (routine, code) = header.split_once('(').unwrap_or((header, ""));
                self.routine = routine.trim().trim_end_matches(':').to_owned();
                self.code = code
                    .split(')')
                    .next()
                    .and_then(|code| code.trim().parse().ok())
                    .unwrap_or(0);
            }
            _ if line.is_empty() => {}
            _ => {
                if !self.message.is_empty() {
                    self.message.push(' ');
                }
                self.message.push_str(line);
            }
        }
    }

    /// What went wrong, by the routine and the words of pw.x 6 and 7.
    pub fn kind(&self) -> PwFailureKind {
        let routine = self.routine.to_ascii_lowercase();
        let message = self.message.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        let is = |names: &[&str]| names.iter().any(|name| routine.contains(name));
        if says(&["no space left", "disk full", "quota exceeded"]) {
            PwFailureKind::ScratchUnavailable
        } else if says(&["charge is wrong", "smearing is needed"]) {
            PwFailureKind::WrongCharge
        } else if is(&[
            "cdiaghg", "rdiaghg", "diaghg", "zhegv", "dsygv", "cegterg", "regterg",
        ]) || says(&[
            "s matrix not positive definite",
            "problems computing cholesky",
            "too many bands are not converged",
            "eigenvectors failed to converge",
            "diagonalization failed",
            "error in factorization",
            "qr failed",
        ]) {
            PwFailureKind::DiagonalizationFailed
        } else if is(&["check_atoms"])
            || says(&["overlap!", "atoms overlap", "wrong atomic coordinates"])
        {
            PwFailureKind::BadGeometry
        } else if is(&["readpp", "read_upf", "upf", "read_pseudo"]) && !says(&["allocat"]) {
            PwFailureKind::MissingPseudopotential
        } else if is(&[
            "davcio",
            "diropn",
            "buiol",
            "open_buffer",
            "pw_restart",
            "write_scf",
        ]) || says(&[
            "cannot open",
            "error writing",
            "unable to write",
            "unable to create",
        ]) {
            PwFailureKind::ScratchUnavailable
        } else if says(&["allocat", "not enough memory", "out of memory", "cpu time"]) {
            PwFailureKind::Crashed
        } else {
            PwFailureKind::ProgramError
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> ErrorBox {
        let mut found = ErrorBox::default();
        for line in lines {
            found.add_line(line);
        }
        found
    }

    /// Oracle: boxes as pw.x 6.4 to 7.3 print them.
    #[test]
    fn boxes_are_read_and_told_apart() {
        let found = read(&[
            "     Error in routine electrons (1):",
            "     charge is wrong: smearing is needed",
        ]);
        assert_eq!((found.routine.as_str(), found.code), ("electrons", 1));
        assert_eq!(found.kind(), PwFailureKind::WrongCharge);
        let cases = [
            (
                "cdiaghg (668)",
                "problems computing cholesky",
                PwFailureKind::DiagonalizationFailed,
            ),
            (
                "c_bands (1)",
                "too many bands are not converged",
                PwFailureKind::DiagonalizationFailed,
            ),
            (
                "check_atoms (1)",
                "atoms #   1 and #   2 overlap!",
                PwFailureKind::BadGeometry,
            ),
            (
                "readpp (1)",
                "file ./Si.upf not found",
                PwFailureKind::MissingPseudopotential,
            ),
            (
                "davcio (99)",
                "error writing file \"./pwscf.wfc1\"",
                PwFailureKind::ScratchUnavailable,
            ),
            (
                "set_occupations (1)",
                "occupations fixd not implemented",
                PwFailureKind::ProgramError,
            ),
        ];
        for (routine, message, kind) in cases {
            let found = read(&[&format!("     Error in routine  {routine}:"), message]);
            assert_eq!(found.kind(), kind, "{routine}");
        }
    }

    #[test]
    fn odd_boxes_do_no_harm() {
        let found = read(&["text (", "Error in routine x", ""]);
        assert_eq!((found.routine.as_str(), found.code), ("x", 0));
        assert_eq!(found.message, "text (");
        assert!(ErrorBox::is_frame(" %%%%%%%%%%%%%%%%%%%%%%%%%%%%%"));
        assert!(!ErrorBox::is_frame("%%"));
    }
}
