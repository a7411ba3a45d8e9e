//! Reads the output of pw.x line by line.

use crate::{ErrorBox, PwOutput, RelaxStep, ScfCycle, run_time::parse_seconds};

/// Reads the text output of pw.x line by line, as it comes.
///
/// Lines that it does not know are passed over, so that it reads QE 6.4 to 7.6 alike. Numbers that
/// are no numbers (`****`, `NaN`) count as not printed.
#[derive(Debug, Default)]
pub struct PwOutputParser {
    output: PwOutput,
    block: Block,
}

/// A block of lines that the parser is inside of.
#[derive(Debug, Default)]
enum Block {
    #[default]
    None,
    ErrorBox(ErrorBox),
    /// Rows of the stress tensor read so far.
    Stress(Vec<[f64; 3]>),
    Forces,
}

impl PwOutputParser {
    /// Reads a line.
    pub fn line(&mut self, line: &str) {
        if self.continue_block(line) {
            return;
        }
        let text = line.trim();
        if ErrorBox::is_frame(text) {
            self.block = Block::ErrorBox(ErrorBox::default());
        } else if let Some(rest) = text.strip_prefix("Program PWSCF v.") {
            self.output.version = rest.split_whitespace().next().map(str::to_owned);
        } else if text == "JOB DONE." {
            self.output.job_done = true;
        } else if text.starts_with("PWSCF ") && text.ends_with("WALL") {
            self.output.wall_seconds = text
                .rsplit_once("CPU")
                .and_then(|(_, wall)| parse_seconds(wall.trim_end_matches("WALL").trim()));
        } else if let Some(rest) = text.strip_prefix("number of electrons") {
            self.output.electrons = after_equals(rest);
        } else if let Some(rest) = text.strip_prefix("number of Kohn-Sham states") {
            self.output.bands = after_equals(rest).map(|bands| bands as u32);
        } else if let Some(rest) = text.strip_prefix("number of k points") {
            self.output.k_points = after_equals(rest).map(|points| points as u32);
        } else if text.starts_with("No symmetry found") {
            self.output.symmetry_operations = Some(1);
        } else if text.contains(" Sym. Ops.") || text.contains(" Sym.Ops.") {
            self.output.symmetry_operations = first_number(text).map(|count| count as u32);
        } else if let Some(rest) = text.strip_prefix("new unit-cell volume") {
            self.output.relax_steps.push(RelaxStep {
                volume_bohr3: after_equals(rest),
                density_g_cm3: None,
            });
        } else if let Some(rest) = text.strip_prefix("density =") {
            // Where the volume did not change, pw.x prints the density alone.
            if self
                .output
                .relax_steps
                .last()
                .is_none_or(|step| step.density_g_cm3.is_some())
            {
                self.output.relax_steps.push(RelaxStep::default());
            }
            if let Some(step) = self.output.relax_steps.last_mut() {
                step.density_g_cm3 = first_number(rest);
            }
        } else {
            self.scf_line(text);
        }
    }

    /// What was read.
    pub fn finish(self) -> PwOutput {
        self.output
    }

    /// What has been read so far.
    pub fn output(&self) -> &PwOutput {
        &self.output
    }

    fn continue_block(&mut self, line: &str) -> bool {
        match &mut self.block {
            Block::None => false,
            Block::ErrorBox(found) => {
                if ErrorBox::is_frame(line) {
                    let found = std::mem::take(found);
                    self.output.error.get_or_insert(found);
                    self.block = Block::None;
                } else {
                    found.add_line(line);
                }
                true
            }
            Block::Stress(rows) => {
                match numbers::<3>(line) {
                    Some(row) => rows.push(row),
                    None => {
                        self.block = Block::None;
                        return false;
                    }
                }
                if let [x, y, z] = rows[..] {
                    self.block = Block::None;
                    self.cycle().stress_ry_bohr3 = Some([x, y, z]);
                }
                true
            }
            Block::Forces => {
                if line.trim().is_empty() {
                    return true;
                }
                match line.split_once("force =") {
                    Some((atom, force)) if atom.trim_start().starts_with("atom") => {
                        if let Some(force) = numbers::<3>(force) {
                            self.cycle().forces_ry_bohr.push(force);
                        }
                        true
                    }
                    // The parts of the forces follow under their own headings.
                    _ => {
                        self.block = Block::None;
                        false
                    }
                }
            }
        }
    }

    fn scf_line(&mut self, text: &str) {
        if text.starts_with("Self-consistent Calculation") {
            self.output.scf_cycles.push(ScfCycle::default());
        } else if text.starts_with("iteration #") {
            self.cycle().iterations += 1;
        } else if text.starts_with("convergence has been achieved") {
            self.cycle().converged = Some(true);
        } else if text.starts_with("convergence NOT achieved") {
            self.cycle().converged = Some(false);
        } else if let Some(rest) = text.strip_prefix('!') {
            if rest.trim_start().starts_with("total energy") {
                self.cycle().total_energy_ry = after_equals(rest);
            }
        } else if let Some(rest) = text.strip_prefix("highest occupied, lowest unoccupied level") {
            if let Some([homo, lumo]) = after_colon(rest).and_then(numbers::<2>) {
                let cycle = self.cycle();
                (cycle.homo_ev, cycle.lumo_ev) = (Some(homo), Some(lumo));
            }
        } else if let Some(rest) = text.strip_prefix("highest occupied level") {
            self.cycle().homo_ev = after_colon(rest).and_then(first_number);
        } else if let Some(rest) = text.strip_prefix("the Fermi energy is") {
            self.cycle().fermi_ev = first_number(rest);
        } else if text.starts_with("total   stress") {
            self.cycle().pressure_kbar = text
                .split_once("P=")
                .and_then(|(_, pressure)| first_number(pressure));
            self.block = Block::Stress(Vec::with_capacity(3));
        } else if text.starts_with("Forces acting on atoms") {
            self.cycle().forces_ry_bohr.clear();
            self.block = Block::Forces;
        }
    }

    fn cycle(&mut self) -> &mut ScfCycle {
        let cycles = &mut self.output.scf_cycles;
        if cycles.is_empty() {
            cycles.push(ScfCycle::default());
        }
        let last = cycles.len() - 1;
        &mut cycles[last]
    }
}

fn after_equals(text: &str) -> Option<f64> {
    text.split_once('=')
        .and_then(|(_, rest)| first_number(rest))
}

fn after_colon(text: &str) -> Option<&str> {
    text.split_once(':').map(|(_, rest)| rest)
}

fn first_number(text: &str) -> Option<f64> {
    text.split_whitespace().next().and_then(finite)
}

/// The first `N` numbers of a line.
fn numbers<const N: usize>(text: &str) -> Option<[f64; N]> {
    let mut words = text.split_whitespace();
    let mut found = [0.0; N];
    for number in &mut found {
        *number = finite(words.next()?)?;
    }
    Some(found)
}

fn finite(word: &str) -> Option<f64> {
    word.parse().ok().filter(|number: &f64| number.is_finite())
}
