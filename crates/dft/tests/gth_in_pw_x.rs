//! Written UPF files in a real `pw.x`, against its own analytic implementation of the same family.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{fmt::Write as _, fs, path::Path};

use crystalgym_dft::pseudo::GthParameters;
use crystalgym_testing::{program, pw_x_in};

/// The parameters in the format that `pw.x` reads natively (file name `*.gth`).
fn abinit_format(gth: &GthParameters) -> String {
    let l_max = gth.channels.len().max(1) - 1;
    let mut text = format!(
        "{}\n{} {} 0\n10 11 {l_max} 0 2002 0\n{} {}",
        gth.name,
        gth.element.atomic_number(),
        gth.z_valence,
        gth.r_local,
        gth.local.len()
    );
    for c in &gth.local {
        write!(text, " {c}").unwrap();
    }
    writeln!(text, "\n{}", gth.channels.len()).unwrap();
    for (l, channel) in gth.channels.iter().enumerate() {
        write!(text, "{} {}", channel.radius, channel.count).unwrap();
        for i in 0..channel.count {
            for j in i..channel.count {
                write!(text, " {}", channel.coupling[i * channel.count + j]).unwrap();
            }
            text.push('\n');
        }
        // Spin-orbit coefficients, which are not used.
        for i in 0..if l > 0 { channel.count } else { 0 } {
            writeln!(text, "{}", "0.0 ".repeat(channel.count - i)).unwrap();
        }
    }
    text
}

fn total_energy_ry(pw: &Path, folder: &Path, symbol: &str, file: &str, lattice_bohr: f64) -> f64 {
    let deck = format!(
        "&control calculation='scf' outdir='out' pseudo_dir='.' prefix='x' /\n\
         &system ibrav=2 celldm(1)={lattice_bohr} nat=1 ntyp=1 ecutwfc=30 nbnd=8\n\
         occupations='smearing' degauss=0.02 /\n\
         &electrons conv_thr=1e-10 mixing_beta=0.5 /\n\
         ATOMIC_SPECIES\n{symbol} 1.0 {file}\nATOMIC_POSITIONS crystal\n{symbol} 0 0 0\n\
         K_POINTS gamma\n"
    );
    fs::write(folder.join("pw.in"), deck).unwrap();
    let output = pw_x_in(pw, folder).args(["-in", "pw.in"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with('!'));
    let line = line.unwrap_or_else(|| panic!("{symbol} {file}: no energy in\n{text}"));
    line.split_whitespace().nth(4).unwrap().parse().unwrap()
}

// Oracle: the analytic GTH code inside pw.x, given the same parameters: one and two projectors
// a channel, s, p and d. (Its reader stops at potentials without projectors, such as Li.)
#[test]
fn pw_x_gives_the_same_energy_from_our_upf_and_its_own_formulas() {
    let Some(pw) = program("pw.x") else { return };
    for (symbol, lattice_bohr) in [
        ("Si", 7.0),
        ("Na", 8.0),
        ("Al", 7.5),
        ("O", 6.0),
        ("Zn", 6.5),
    ] {
        let gth = GthParameters::pbe(symbol.parse().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x.upf"), gth.to_upf()).unwrap();
        fs::write(folder.path().join("x.gth"), abinit_format(&gth)).unwrap();
        let ours = total_energy_ry(&pw, folder.path(), symbol, "x.upf", lattice_bohr);
        let native = total_energy_ry(&pw, folder.path(), symbol, "x.gth", lattice_bohr);
        assert!((ours - native).abs() < 2e-6, "{symbol}: {ours} {native}");
    }
}
