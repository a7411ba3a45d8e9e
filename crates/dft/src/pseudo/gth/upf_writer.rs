//! A GTH pseudopotential as a UPF file.

use std::fmt::Write as _;

use super::parameters::GthParameters;

/// Spacing of the logarithmic mesh r_i = exp(x_min + i dx)/Z; Simpson's rule on it is exact to
/// 1e-9 for the narrowest projectors of the table.
const DX: f64 = 0.006;
/// The integral from 0 to the first point, about 2πZ r₁², is missing from q = 0: below 1e-8.
const X_MIN: f64 = -11.0;
/// The mesh goes beyond the 10 bohr at which `pw.x` cuts integrals.
const R_MAX_BOHR: f64 = 15.0;
const RYDBERG_PER_HARTREE: f64 = 2.0;

impl GthParameters {
    /// This pseudopotential as a norm-conserving UPF file of version 2.0.1, which `pw.x` reads.
    ///
    /// Projectors are r p(r) as they are, D_ij = h_ij in rydberg, V_loc in rydberg.
    pub fn to_upf(&self) -> String {
        let mesh = LogMesh::new(f64::from(self.element.atomic_number()));
        let mut out = String::new();
        self.write_upf(&mesh, &mut out);
        out
    }

    fn write_upf(&self, mesh: &LogMesh, out: &mut String) {
        let projectors: Vec<(usize, usize)> = self.projectors().collect();
        let points = mesh.points_within(10.0 * self.largest_radius());
        let r = &mesh.r;
        // Writing to a string cannot fail, so the results of write! carry nothing.
        let _ = write!(
            out,
            "<UPF version=\"2.0.1\">\n<PP_INFO>\n{name}: Krack, Theor. Chem. Acc. 114, 145 \
             (2005)\n</PP_INFO>\n<PP_HEADER\n generated=\"{name}\"\n author=\"\"\n date=\"\"\n \
             comment=\"\"\n element=\"{symbol}\"\n pseudo_type=\"NC\"\n relativistic=\"scalar\"\n \
             is_ultrasoft=\"F\"\n is_paw=\"F\"\n is_coulomb=\"F\"\n has_so=\"F\"\n has_wfc=\"F\"\n \
             has_gipaw=\"F\"\n paw_as_gipaw=\"F\"\n core_correction=\"F\"\n functional=\"PBE\"\n \
             z_valence=\"{z}\"\n total_psenergy=\"0.0\"\n wfc_cutoff=\"0.0\"\n \
             rho_cutoff=\"0.0\"\n l_max=\"{l_max}\"\n l_max_rho=\"0\"\n l_local=\"-1\"\n \
             mesh_size=\"{size}\"\n number_of_wfc=\"{orbitals}\"\n \
             number_of_proj=\"{count}\"/>\n",
            name = self.name,
            symbol = self.element.symbol(),
            z = self.z_valence,
            l_max = self.channels.len().saturating_sub(1),
            size = r.len(),
            orbitals = self.orbitals.len(),
            count = projectors.len(),
        );
        let _ = writeln!(
            out,
            "<PP_MESH dx=\"{DX}\" mesh=\"{}\" xmin=\"{X_MIN}\" rmax=\"{}\" zmesh=\"{}\">",
            r.len(),
            r.last().copied().unwrap_or_default(),
            mesh.z,
        );
        section(out, "PP_R", "", r.iter().copied());
        section(out, "PP_RAB", "", r.iter().map(|r| r * DX));
        out.push_str("</PP_MESH>\n");
        let local = r.iter().map(|&r| RYDBERG_PER_HARTREE * self.local_at(r));
        section(out, "PP_LOCAL", "", local);
        out.push_str("<PP_NONLOCAL>\n");
        for (index, (l, _)) in projectors.iter().enumerate() {
            let attributes = format!(
                " index=\"{}\" label=\"{}\" angular_momentum=\"{l}\" \
                 cutoff_radius_index=\"{points}\" cutoff_radius=\"{}\"",
                index + 1,
                ["S", "P", "D", "F"][(*l).min(3)],
                r[points - 1],
            );
            let values = r.iter().map(|&r| self.projector_at(index, r));
            section(out, &format!("PP_BETA.{}", index + 1), &attributes, values);
        }
        let coupling = self.coupling().into_iter();
        section(out, "PP_DIJ", "", coupling.map(|h| RYDBERG_PER_HARTREE * h));
        out.push_str("</PP_NONLOCAL>\n<PP_PSWFC>\n");
        for (index, orbital) in self.orbitals.iter().enumerate() {
            let attributes = format!(
                " index=\"{}\" label=\"{}\" l=\"{}\" occupation=\"{}\" n=\"{}\"",
                index + 1,
                super::orbital_label(orbital.l, orbital.shell),
                orbital.l,
                orbital.occupation,
                orbital.l + 1 + orbital.shell,
            );
            let values = r.iter().map(|&r| orbital.radial(r));
            section(out, &format!("PP_CHI.{}", index + 1), &attributes, values);
        }
        out.push_str("</PP_PSWFC>\n");
        let density = r.iter().map(|&r| -> f64 {
            let shells = self.orbitals.iter();
            shells
                .map(|orbital| orbital.occupation * orbital.radial(r).powi(2))
                .sum()
        });
        section(out, "PP_RHOATOM", "", density);
        out.push_str("</UPF>\n");
    }

    fn largest_radius(&self) -> f64 {
        let radii = self.channels.iter().map(|channel| channel.radius);
        radii.fold(self.r_local, f64::max)
    }
}

struct LogMesh {
    z: f64,
    r: Vec<f64>,
}

impl LogMesh {
    fn new(z: f64) -> Self {
        let count = (((z * R_MAX_BOHR).ln() - X_MIN) / DX).ceil() as usize;
        // An odd number of points, for Simpson's rule.
        let count = count | 1;
        Self {
            z,
            r: (0..count)
                .map(|i| (X_MIN + i as f64 * DX).exp() / z)
                .collect(),
        }
    }

    /// An odd number of points that reach the radius, or all of them.
    fn points_within(&self, radius: f64) -> usize {
        let points = self.r.iter().take_while(|&&r| r < radius).count();
        (points | 1).min(self.r.len())
    }
}

fn section(
    out: &mut String,
    name: &str,
    attributes: &str,
    values: impl ExactSizeIterator<Item = f64>,
) {
    let _ = writeln!(
        out,
        "<{name} type=\"real\" size=\"{}\" columns=\"4\"{attributes}>",
        values.len()
    );
    for (index, value) in values.enumerate() {
        // Fortran reads no three-digit exponents without their E, so tails become zero.
        let value = if value.abs() < 1e-90 { 0.0 } else { value };
        let end = if index % 4 == 3 { "\n" } else { " " };
        let _ = write!(out, "{value:.15E}{end}");
    }
    let _ = write!(out, "\n</{name}>\n");
}
