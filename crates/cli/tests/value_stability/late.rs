//! A stand-in for `pw.x`: band gaps by a rule of whole numbers, some sooner, some later.

use std::{fs, path::Path};

use crate::runs::crystalgym;

/// Prints what a single SCF of pw.x prints, as far as it is read. The gap in eV is the sum of the
/// squares of numbers given to the elements, modulo 89, over 16; it comes after 12 to 36 ms, by the
/// same number.
const PROGRAM: &str = r#"
while [ $# -gt 1 ]; do
  [ "$1" = -in ] && deck=$2
  shift
done
echo '     Program PWSCF v.7.2 starts'
[ -s "$deck" ] || exit 1
sum=$(awk '
  BEGIN { n = split("Li Na K Mg Ca O S Cl", symbols); for (i = 1; i <= n; i++) number[symbols[i]] = i + 2 }
  $1 == "ATOMIC_POSITIONS" { reading = 1; next }
  reading && NF < 4 { reading = 0 }
  reading { sum += number[$1] ^ 2 }
  END { print sum % 89 }' "$deck")
sleep "0.0$((sum * 37 % 13 * 2 + 12))"
cat <<END
     Self-consistent Calculation
     iteration #  1
     iteration #  2
!    total energy              =     -$sum.5 Ry
     highest occupied, lowest unoccupied level (ev):     0.0000    $((sum / 16)).$(printf %04d $((sum % 16 * 625)))
     convergence has been achieved in   2 iterations
   JOB DONE.
END
"#;

/// Writes the program and what it needs into `folder`; returns the settings.
pub(crate) fn settings(folder: &Path) -> Vec<String> {
    fs::write(folder.join("pw.sh"), PROGRAM).unwrap();
    let elements = "Li,Na,K,Mg,Ca,O,S,Cl";
    crystalgym(folder, &["pseudo", "gth", "family", "--elements", elements]);
    let quoted: Vec<String> = elements
        .split(',')
        .map(|symbol| format!("'{symbol}'"))
        .collect();
    let program = folder.join("pw.sh");
    vec![
        format!("task.elements=[{}]", quoted.join(",")),
        format!("calculator.qe.command=['sh','{}']", program.display()),
        "calculator.name=qe".to_owned(),
        "calculator.pseudopotentials=family".to_owned(),
        "task.property=band_gap".to_owned(),
        "task.target=3".to_owned(),
        "evaluation.workers=3".to_owned(),
        "evaluation.store=none".to_owned(),
        "agent.in_flight=6".to_owned(),
        "agent.threads=2".to_owned(),
    ]
}
