//! UPF files of every kind that programs write, made here from a GTH potential, in the engine and in a
//! live `pw.x` (the oracle throughout); and files of which nothing honest can be made.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking and report the differences"
)]

mod common;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use common::{Case, gth};
use crystalgym_dft::{Smearing, pseudo::Pseudopotential};
use crystalgym_testing::{program, shared_data};

/// A UPF file in pieces; arrays as the file has them.
#[derive(Clone)]
struct Parts {
    version: u8,
    symbol: &'static str,
    functional: &'static str,
    z_valence: f64,
    core_flag: &'static str,
    core: Option<Vec<f64>>,
    r: Vec<f64>,
    rab: Vec<f64>,
    local: Vec<f64>,
    /// l, j and r β.
    projectors: Vec<(usize, f64, Vec<f64>)>,
    /// The diagonal.
    strengths: Vec<f64>,
    /// l, j, occupation and r χ.
    orbitals: Vec<(usize, f64, f64, Vec<f64>)>,
    density: Vec<f64>,
    is_relativistic: bool,
}

impl Parts {
    /// From the built-in potential of an element with one projector for each l.
    fn of(symbol: &'static str, version: u8) -> Self {
        let gth = gth(symbol);
        let potential = Pseudopotential::from_upf(&gth.to_upf(), Path::new("gth.upf")).unwrap();
        let f = potential.radial_functions().unwrap();
        let count = potential.projector_count();
        let l = potential.projector_l();
        Self {
            version,
            symbol,
            functional: "SLA PW PBX PBC",
            z_valence: gth.z_valence,
            core_flag: "F",
            core: None,
            r: f.mesh.r.clone(),
            rab: f.mesh.rab.clone(),
            local: f.local.iter().map(|v| 2.0 * v).collect(),
            projectors: l
                .iter()
                .zip(&f.projectors)
                .map(|(&l, beta)| (l, 0.0, beta.clone()))
                .collect(),
            strengths: (0..count)
                .map(|i| 2.0 * potential.coupling_between(i, i))
                .collect(),
            orbitals: (potential.orbitals().iter().zip(&f.orbitals))
                .map(|(info, chi)| (info.l, 0.0, info.occupation, chi.clone()))
                .collect(),
            density: f.atomic_density.clone(),
            is_relativistic: false,
        }
    }

    /// The core charge `a e^{−(r/w)²}`.
    fn with_core(mut self, height: f64, width: f64, flag: &'static str) -> Self {
        let charge = |r: &f64| height * (-(r / width).powi(2)).exp();
        self.core = Some(self.r.iter().map(charge).collect());
        self.core_flag = flag;
        self
    }

    /// Projectors and orbitals of l > 0 split into two that differ, j = l − 1/2 first or last.
    fn relativistic(mut self, lower_first: bool) -> Self {
        let mut projectors = Vec::new();
        let mut strengths = Vec::new();
        for ((l, _, beta), strength) in self.projectors.iter().zip(&self.strengths) {
            let half = |sign: f64| {
                let values = beta.iter().zip(&self.r);
                let values = values.map(|(b, r)| b * (1.0 + 0.1 * sign * (-r).exp()));
                (*l, *l as f64 + 0.5 * sign, values.collect())
            };
            let mut pair = vec![(half(1.0), strength * 1.3)];
            if *l > 0 {
                pair.push((half(-1.0), strength * 0.8));
            }
            if lower_first {
                pair.reverse();
            }
            for (projector, strength) in pair {
                projectors.push(projector);
                strengths.push(strength);
            }
        }
        let mut orbitals = Vec::new();
        for (l, _, occupation, chi) in &self.orbitals {
            if *l == 0 {
                orbitals.push((0, 0.5, *occupation, chi.clone()));
            } else {
                orbitals.push((*l, *l as f64 + 0.5, 0.6 * occupation, chi.clone()));
                orbitals.push((*l, *l as f64 - 0.5, 0.4 * occupation, chi.clone()));
            }
        }
        (self.projectors, self.strengths, self.orbitals) = (projectors, strengths, orbitals);
        self.is_relativistic = true;
        self
    }

    fn text(&self) -> String {
        match self.version {
            1 => self.version_1(),
            _ => self.version_2(),
        }
    }

    fn version_1(&self) -> String {
        let mut out = String::from("<PP_INFO>\nby hand\n</PP_INFO>\n<PP_HEADER>\n");
        let _ = writeln!(
            out,
            "   0   Version Number\n  {}   Element\n   NC   Norm - Conserving pseudopotential\n  {}   \
             Nonlinear Core Correction\n {:<26}Exchange-Correlation functional\n {:.10} Z valence\n \
             0.0  Total energy\n 0.0 0.0 Suggested cutoff for wfc and rho\n  2  Max angular \
             momentum component\n {}  Number of points in mesh\n {} {} Number of Wavefunctions, \
             Number of Projectors\n Wavefunctions  nl  l   occ",
            self.symbol,
            self.core_flag,
            self.functional,
            self.z_valence,
            self.r.len(),
            self.orbitals.len(),
            self.projectors.len()
        );
        for (l, _, occupation, _) in &self.orbitals {
            let _ = writeln!(
                out,
                "  {}{} {l} {occupation:.2}",
                l + 1,
                ["S", "P", "D"][*l]
            );
        }
        out.push_str("</PP_HEADER>\n<PP_MESH>\n");
        plain(&mut out, "PP_R", &self.r);
        plain(&mut out, "PP_RAB", &self.rab);
        out.push_str("</PP_MESH>\n");
        if let Some(core) = &self.core {
            plain(&mut out, "PP_NLCC", core);
        }
        plain(&mut out, "PP_LOCAL", &self.local);
        out.push_str("<PP_NONLOCAL>\n");
        for (index, (l, _, beta)) in self.projectors.iter().enumerate() {
            let _ = writeln!(out, "<PP_BETA>\n {} {l} Beta L\n {}", index + 1, beta.len());
            numbers(&mut out, beta);
            out.push_str("</PP_BETA>\n");
        }
        let _ = writeln!(
            out,
            "<PP_DIJ>\n {} Number of nonzero Dij",
            self.strengths.len()
        );
        for (index, strength) in self.strengths.iter().enumerate() {
            let _ = writeln!(out, " {0} {0} {strength:.14E}", index + 1);
        }
        out.push_str("</PP_DIJ>\n</PP_NONLOCAL>\n<PP_PSWFC>\n");
        for (l, _, occupation, chi) in &self.orbitals {
            let _ = writeln!(
                out,
                "{}{} {l} {occupation:.2} Wavefunction",
                l + 1,
                ["S", "P", "D"][*l]
            );
            numbers(&mut out, chi);
        }
        out.push_str("</PP_PSWFC>\n");
        plain(&mut out, "PP_RHOATOM", &self.density);
        if self.is_relativistic {
            out.push_str("<PP_ADDINFO>\n");
            for (l, j, occupation, _) in &self.orbitals {
                let label = ["S", "P", "D"][*l];
                let _ = writeln!(out, "{0}{label} {0} {l} {j:.2} {occupation:.2}", l + 1);
            }
            for (l, j, _) in &self.projectors {
                let _ = writeln!(out, " {l} {j:.2}");
            }
            out.push_str(" -11.0 15.0 14.0 0.006\n</PP_ADDINFO>\n");
        }
        out
    }

    fn version_2(&self) -> String {
        let flag = |is: bool| if is { "T" } else { "F" };
        let mut out = String::from("<UPF version=\"2.0.1\">\n<PP_INFO>\nby hand\n</PP_INFO>\n");
        let _ = writeln!(
            out,
            "<PP_HEADER generated=\"by hand\" author=\"\" date=\"\" comment=\"\" element=\"{}\" \
             pseudo_type=\"NC\" relativistic=\"scalar\" is_ultrasoft=\"F\" is_paw=\"F\" \
             is_coulomb=\"F\" has_so=\"{}\" has_wfc=\"F\" has_gipaw=\"F\" paw_as_gipaw=\"F\" \
             core_correction=\"{}\" functional=\"{}\" z_valence=\"{}\" total_psenergy=\"0.0\" \
             wfc_cutoff=\"0.0\" rho_cutoff=\"0.0\" l_max=\"2\" l_max_rho=\"0\" l_local=\"-1\" \
             mesh_size=\"{}\" number_of_wfc=\"{}\" number_of_proj=\"{}\"/>\n<PP_MESH>",
            self.symbol,
            flag(self.is_relativistic),
            self.core_flag,
            self.functional,
            self.z_valence,
            self.r.len(),
            self.orbitals.len(),
            self.projectors.len()
        );
        section(&mut out, "PP_R", "", &self.r);
        section(&mut out, "PP_RAB", "", &self.rab);
        out.push_str("</PP_MESH>\n");
        if let Some(core) = &self.core {
            section(&mut out, "PP_NLCC", "", core);
        }
        section(&mut out, "PP_LOCAL", "", &self.local);
        out.push_str("<PP_NONLOCAL>\n");
        for (index, (l, _, beta)) in self.projectors.iter().enumerate() {
            let attributes = format!(
                " index=\"{}\" label=\"B\" angular_momentum=\"{l}\" cutoff_radius_index=\"{}\" \
                 cutoff_radius=\"10.0\"",
                index + 1,
                beta.len()
            );
            section(
                &mut out,
                &format!("PP_BETA.{}", index + 1),
                &attributes,
                beta,
            );
        }
        let count = self.strengths.len();
        let mut matrix = vec![0.0; count * count];
        for (index, strength) in self.strengths.iter().enumerate() {
            matrix[index * count + index] = *strength;
        }
        if count > 0 {
            section(&mut out, "PP_DIJ", "", &matrix);
        }
        out.push_str("</PP_NONLOCAL>\n<PP_PSWFC>\n");
        for (index, (l, _, occupation, chi)) in self.orbitals.iter().enumerate() {
            let attributes = format!(
                " index=\"{}\" label=\"{}{}\" l=\"{l}\" occupation=\"{occupation}\"",
                index + 1,
                l + 1,
                ["S", "P", "D"][*l]
            );
            section(&mut out, &format!("PP_CHI.{}", index + 1), &attributes, chi);
        }
        out.push_str("</PP_PSWFC>\n");
        section(&mut out, "PP_RHOATOM", "", &self.density);
        if self.is_relativistic {
            out.push_str("<PP_SPIN_ORB>\n");
            for (index, (l, j, _, _)) in self.orbitals.iter().enumerate() {
                let index = index + 1;
                let _ = writeln!(
                    out,
                    "<PP_RELWFC.{index} index=\"{index}\" lchi=\"{l}\" jchi=\"{j}\" nn=\"1\"/>"
                );
            }
            for (index, (l, j, _)) in self.projectors.iter().enumerate() {
                let index = index + 1;
                let _ = writeln!(
                    out,
                    "<PP_RELBETA.{index} index=\"{index}\" lll=\"{l}\" jjj=\"{j}\"/>"
                );
            }
            out.push_str("</PP_SPIN_ORB>\n");
        }
        out.push_str("</UPF>\n");
        out
    }
}

fn numbers(out: &mut String, values: &[f64]) {
    for row in values.chunks(4) {
        for value in row {
            let value = if value.abs() < 1e-90 { 0.0 } else { *value };
            let _ = write!(out, " {value:.14E}");
        }
        out.push('\n');
    }
}

/// Version 1: no attributes.
fn plain(out: &mut String, name: &str, values: &[f64]) {
    let _ = writeln!(out, "<{name}>");
    numbers(out, values);
    let _ = writeln!(out, "</{name}>");
}

fn section(out: &mut String, name: &str, attributes: &str, values: &[f64]) {
    let _ = writeln!(
        out,
        "<{name} type=\"real\" size=\"{}\" columns=\"4\"{attributes}>",
        values.len()
    );
    numbers(out, values);
    let _ = writeln!(out, "</{name}>");
}

/// One atom in a cube of 3 Å.
fn case(symbol: &'static str, ecutrho_ry: f64) -> Case {
    Case {
        lattice_ang: [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]],
        atoms: vec![(symbol, [0.0; 3])],
        ecutwfc_ry: 20.0,
        ecutrho_ry,
        divisions: [1; 3],
        smearing: Some((Smearing::Gaussian, 0.02)),
        bands: 8,
        use_symmetry: true,
    }
}

fn read(text: &str) -> Pseudopotential {
    Pseudopotential::from_upf(text, Path::new("test.upf")).unwrap()
}

fn refusal(text: &str) -> String {
    let error = Pseudopotential::from_upf(text, Path::new("test.upf")).unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("test.upf: "), "{message}");
    message
}

fn engine_ry(case: &Case, text: &str) -> f64 {
    let result = case.solve(|_| read(text));
    assert!(
        result.is_converged(),
        "{:?} {:#?}",
        result.end,
        result.history
    );
    2.0 * result.total_energy_ha()
}

/// The engine's energy, and that of `pw.x` where it is installed, within 1e-5 Ry.
fn agree(what: &str, case: &Case, text: &str) -> f64 {
    let found = engine_ry(case, text);
    if let Some(pw) = program("pw.x") {
        let expected = case.run_pw(&pw, |_| text.to_owned()).total_energy_ry;
        println!("{what}: {found:.8} Ry, pw.x {expected:.8} Ry");
        assert!(
            (found - expected).abs() < 1e-5,
            "{what}: {found} {expected}"
        );
    }
    found
}

#[test]
fn core_charges_count_in_both_layouts_and_every_spelling() {
    let case = case("Si", 80.0);
    let plain = agree("no core", &case, &Parts::of("Si", 1).text());
    let core = |version, flag| Parts::of("Si", version).with_core(0.3, 1.0, flag).text();
    let with_core = agree("T", &case, &core(1, "T"));
    assert!((with_core - plain).abs() > 0.1, "{plain} {with_core}");
    agree("version 2", &case, &core(2, ".true."));
    let potential = read(&core(1, "T"));
    for flag in ["t", ".T.", ".t.", "TRUE", "true", ".TRUE.", ".true."] {
        assert_eq!(read(&core(1, flag)), potential, "{flag}");
    }
    for flag in ["F", ".FALSE.", "false"] {
        assert!(!read(&core(1, flag)).has_core_charge(), "{flag}");
    }
    assert!(refusal(&core(1, "yes")).contains("'Nonlinear Core Correction' is 'yes'"));
    // A charge of zero, and one that is announced and missing.
    let zero = Parts::of("Si", 2).with_core(0.0, 1.0, "T").text();
    assert!((engine_ry(&case, &zero) - plain).abs() < 1e-8);
    let mut missing = Parts::of("Si", 2);
    missing.core_flag = "T";
    assert!(refusal(&missing.text()).contains("<PP_NLCC>: not found"));
}

/// Where the plane waves cannot hold a core charge the density becomes negative beside it.
#[test]
fn core_charges_too_sharp_for_the_cutoff() {
    let sharp = |name| {
        let parts = Parts {
            functional: name,
            ..Parts::of("Si", 2)
        };
        parts.with_core(60.0, 0.12, "T").text()
    };
    for name in ["SLA PZ NOGX NOGC", "SLA PW PBX PBC"] {
        agree(name, &case("Si", 100.0), &sharp(name));
    }
}

#[test]
fn fully_relativistic_projectors_are_averaged() {
    let case = case("Si", 80.0);
    let plain = agree("scalar", &case, &Parts::of("Si", 2).text());
    let mut energies = Vec::new();
    for version in [1, 2] {
        for lower_first in [false, true] {
            let text = Parts::of("Si", version).relativistic(lower_first).text();
            let what = format!("version {version}, lower j first: {lower_first}");
            energies.push(agree(&what, &case, &text));
            let potential = read(&text);
            assert!(potential.is_spin_orbit_average());
            assert_eq!(
                potential.projector_l(),
                read(&Parts::of("Si", 2).text()).projector_l()
            );
        }
    }
    assert!((energies[0] - plain).abs() > 1e-2, "{energies:?} {plain}");
    assert!(
        energies
            .iter()
            .all(|energy| (energy - energies[0]).abs() < 1e-7)
    );
}

/// `pw.x` stops at all of these but the last two, of which it makes something else.
#[test]
fn what_has_no_average_over_j_is_refused() {
    let text = |change: fn(&mut Parts)| {
        let mut parts = Parts::of("Si", 2).relativistic(false);
        change(&mut parts);
        parts.text()
    };
    let alone = refusal(&text(|parts| {
        parts.projectors.pop();
        parts.strengths.pop();
    }));
    assert!(alone.contains("j = 0.5 and the same l after it"), "{alone}");
    let odd = refusal(&text(|parts| parts.projectors[0].1 = 0.7));
    assert!(odd.contains("projector 1 has l = 0 and j = 0.7"), "{odd}");
    let orbital = refusal(&text(|parts| {
        parts.orbitals.pop();
    }));
    assert!(orbital.contains("orbital"), "{orbital}");
    let good = text(|_| ());
    for (from, to, expected) in [
        ("<PP_SPIN_ORB>", "<PP_SPIN>", "<PP_SPIN_ORB>: not found"),
        ("jjj=\"0.5\"", "jjj=\"x\"", "'jjj' is 'x'"),
        (
            "<PP_RELBETA.2",
            "<PP_RELBETA.7",
            "<PP_RELBETA.2>: not found",
        ),
    ] {
        let message = refusal(&good.replacen(from, to, 1));
        assert!(message.contains(expected), "{message}");
    }
    let cancel = refusal(&text(|parts| {
        let last = parts.strengths.len() - 1;
        parts.strengths[last] = -2.0 * parts.strengths[last - 1];
    }));
    assert!(cancel.contains("cancel each other"), "{cancel}");
    // Zeros are what older programs wrote beside scalar projectors.
    let mut zeros = Parts::of("Si", 1);
    let scalar = read(&zeros.text());
    zeros.is_relativistic = true;
    assert_eq!(read(&zeros.text()), scalar);
}

/// Starting orbitals of zero, of another norm, twice the same, and none.
#[test]
fn orbitals_and_densities_to_start_from_need_not_be_good() {
    let case = case("Si", 80.0);
    let expected = agree("normal", &case, &Parts::of("Si", 2).text());
    type Change = fn(&mut Parts);
    let changes: [(&str, Change); 6] = [
        ("orbitals of zero", |parts| {
            parts.orbitals.iter_mut().for_each(|one| one.3.fill(0.0));
        }),
        ("one orbital of zero", |parts| parts.orbitals[0].3.fill(0.0)),
        ("no orbitals", |parts| parts.orbitals.clear()),
        ("the same orbital twice", |parts| {
            let twice = parts.orbitals[0].clone();
            parts.orbitals.push(twice);
        }),
        ("a core hole", |parts| {
            parts.density.iter_mut().for_each(|rho| *rho *= 0.6);
        }),
        ("no density", |parts| parts.density.fill(0.0)),
    ];
    for (what, change) in changes {
        for version in [1, 2] {
            let mut parts = Parts::of("Si", version);
            change(&mut parts);
            let found = engine_ry(&case, &parts.text());
            assert!(
                (found - expected).abs() < 1e-6,
                "{what}: {found} {expected}"
            );
        }
    }
    let mut other_units = Parts::of("Si", 2);
    let scaled = |one: &mut (usize, f64, f64, Vec<f64>)| {
        one.3.iter_mut().for_each(|chi| *chi *= 1e9);
    };
    other_units.orbitals.iter_mut().for_each(scaled);
    let found = engine_ry(&case, &other_units.text());
    assert!((found - expected).abs() < 1e-6, "{found} {expected}");
}

/// What is in real files beside the numbers, and in how they are written.
#[test]
fn odd_spellings_are_read_as_pw_x_reads_them() {
    let case = case("Si", 80.0);
    let good = Parts::of("Si", 2).text();
    let expected = read(&good);
    for (what, text) in [
        (
            "comments",
            good.replace("<PP_MESH>", "<!-- <PP_MESH> -->\n<PP_MESH>"),
        ),
        (
            "blanks",
            good.replace("element=\"Si\"", "element =\n '  Si '"),
        ),
        (
            "GIPAW",
            good.replace(
                "</UPF>",
                "<PP_GIPAW gipaw_data_format=\"2\">\n</PP_GIPAW>\n</UPF>",
            ),
        ),
        (
            "Fortran's exponents",
            good.replace("E-", "D-").replace("E+", "d+"),
        ),
        (
            "letter case",
            good.replace("element=\"Si\"", "element=\"SI\""),
        ),
        ("short name", good.replace("SLA PW PBX PBC", "pbe")),
        ("numbers", good.replace("SLA PW PBX PBC", "1 4 3 4")),
        (
            "old names",
            good.replace("SLA PW PBX PBC", "SLA  PW   PBE  PBE"),
        ),
    ] {
        assert_eq!(read(&text), expected, "{what}");
    }
    // Names of two digits cut to one.
    let mut many = Parts::of("Si", 2);
    for index in 0..9 {
        let mut more = many.orbitals[0].clone();
        more.2 = -1.0;
        more.3.iter_mut().for_each(|chi| *chi *= f64::from(index));
        many.orbitals.push(more);
    }
    let (whole, last) = (many.text(), many.orbitals.len());
    let cut = (10..=last).fold(whole.clone(), |text, index| {
        text.replace(&format!("PP_CHI.{index}"), "PP_CHI.1")
    });
    assert_ne!(cut, whole);
    assert_eq!(read(&cut), read(&whole));
    agree("PP_CHI.10 as PP_CHI.1", &case, &cut);
    let lost = whole.replace("PP_CHI.10", "PP_CHI.2");
    assert!(refusal(&lost).contains("<PP_CHI.10>: not found"));
    // An author who is no UTF-8.
    let file = tempfile::NamedTempFile::new().unwrap();
    let (head, tail) = good.split_once("by hand").unwrap();
    fs::write(
        file.path(),
        [head.as_bytes(), b"Andr\xe9", tail.as_bytes()].concat(),
    )
    .unwrap();
    assert_eq!(
        Pseudopotential::from_upf_file(file.path()).unwrap(),
        expected
    );
}

#[test]
fn meshes_and_projectors_of_every_kind() {
    let case = case("Si", 80.0);
    let mut even = Parts::of("Si", 2);
    let points = even.r.len() - 1;
    even.r.truncate(points);
    even.rab.truncate(points);
    even.local.truncate(points);
    even.density.truncate(points);
    even.projectors
        .iter_mut()
        .for_each(|one| one.2.truncate(points));
    even.orbitals
        .iter_mut()
        .for_each(|one| one.3.truncate(points));
    assert_eq!(even.r.len() % 2, 0);
    agree("an even number of points", &case, &even.text());

    let mut negative = Parts::of("Si", 1);
    negative
        .strengths
        .iter_mut()
        .for_each(|strength| *strength *= -0.3);
    agree("negative strengths", &case, &negative.text());

    let mut local = Parts::of("Si", 2);
    local.projectors.clear();
    local.strengths.clear();
    let energy = agree("no projectors", &case, &local.text());
    let without = local.text().replace("<PP_NONLOCAL>\n</PP_NONLOCAL>\n", "");
    assert!((engine_ry(&case, &without) - energy).abs() < 1e-9);
    local.version = 1;
    assert!((engine_ry(&case, &local.text()) - energy).abs() < 1e-6);
}

#[test]
fn what_the_engine_cannot_do_is_refused() {
    let good = Parts::of("Si", 2).text();
    let mut local = Parts::of("Si", 2);
    local.projectors.clear();
    local.strengths.clear();
    let semilocal = local
        .text()
        .replace("</UPF>", "<PP_SEMILOCAL>\n</PP_SEMILOCAL>\n</UPF>");
    for (text, expected) in [
        (semilocal, "only the semilocal form"),
        (
            good.replace("is_coulomb=\"F\"", "is_coulomb=\".TRUE.\""),
            "Coulomb",
        ),
        (
            good.replace("pseudo_type=\"NC\"", "pseudo_type=\"1/r\""),
            "Coulomb",
        ),
        (
            good.replace("has_wfc", "with_metagga_info=\"t\" has_wfc"),
            "meta-GGA",
        ),
        (
            good.replace("SLA PW PBX PBC", "SLA PW PBX"),
            "'SLA PW PBX' is not known",
        ),
        (
            good.replace("SLA PW PBX PBC", "TPSS"),
            "'TPSS' is not known",
        ),
        (
            good.replace("is_ultrasoft=\"F\"", "is_ultrasoft=\"T\""),
            "contradicts",
        ),
        (
            good.replace("z_valence=\"4\"", "z_valence=\"5\""),
            "of a charge of 4.000",
        ),
        (good.replacen("E-", "E+3", 1), "expected a finite number"),
        (good.replace("<PP_MESH>", "<!-- <PP_MESH>"), "no end"),
    ] {
        let message = refusal(&text);
        assert!(message.contains(expected), "{message}");
    }
}

/// Oracle: `pw.x` 6.7 on files of the examples of Quantum ESPRESSO, of which there is one of each kind
/// in the optional data folder (its README has the energies).
#[test]
fn files_of_real_programs() {
    let Some(folder) = shared_data("data/upf-cases") else {
        return;
    };
    let cases: [(&str, &str, f64); 7] = [
        ("O-rrkj3.UPF", "O", -31.437_643),
        ("Si-lda-0.5.UPF", "Si", -7.885_827),
        ("C-core-hole.UPF", "C", -18.402_313),
        ("Si-relativistic.upf", "Si", -8.477_491),
        ("As-relativistic-v1.UPF", "As", -12.864_223),
        ("F-oncv-3.3.upf", "F", -46.355_540),
        ("Cu-us-lowE.UPF", "Cu", -108.202_626),
    ];
    for (file, symbol, expected) in cases {
        let path: PathBuf = folder.join(file);
        let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        let case = Case {
            divisions: [2; 3],
            bands: 10,
            ..case(symbol, 160.0)
        };
        let found = engine_ry(&case, &text);
        println!("{file}: {found:.6} Ry, pw.x {expected:.6} Ry");
        assert!(
            (found - expected).abs() < 2e-5,
            "{file}: {found} {expected}"
        );
    }
}
