//! The functional at many points, several at once.

use pulp::{Arch, Simd, WithSimd};

use super::{Functional, XcPoint};

/// Points between two visits: their results lie in the first-level cache.
const BLOCK: usize = 64;

impl Functional {
    /// As [`evaluate`](Self::evaluate) at each point, with its bits; `visit` gets them in their order.
    ///
    /// `rho` and `sigma` have one number a point; LDA needs no `sigma`, which may be empty.
    pub(crate) fn evaluate_many(
        self,
        rho: &[f64],
        sigma: &[f64],
        visit: impl FnMut(usize, XcPoint),
    ) {
        assert!(!self.needs_gradient() || rho.len() == sigma.len());
        Arch::new().dispatch(Blocks {
            functional: self,
            rho,
            sigma,
            visit,
        });
    }
}

struct Blocks<'a, F> {
    functional: Functional,
    rho: &'a [f64],
    sigma: &'a [f64],
    visit: F,
}

impl<F: FnMut(usize, XcPoint)> WithSimd for Blocks<'_, F> {
    type Output = ();

    /// One copy of the code for each instruction set and functional.
    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        match self.functional {
            Functional::LdaPz => self.run(Functional::LdaPz),
            Functional::LdaPw => self.run(Functional::LdaPw),
            Functional::Pbe => self.run(Functional::Pbe),
            Functional::PbeSol => self.run(Functional::PbeSol),
        }
    }
}

impl<F: FnMut(usize, XcPoint)> Blocks<'_, F> {
    #[inline(always)]
    fn run(&mut self, functional: Functional) {
        let mut first = 0;
        for rho in self.rho.chunks(BLOCK) {
            // What is beyond the last point counts as empty.
            let mut rhos = [0.0; BLOCK];
            let mut sigmas = [0.0; BLOCK];
            rhos[..rho.len()].copy_from_slice(rho);
            if functional.needs_gradient() {
                sigmas[..rho.len()].copy_from_slice(&self.sigma[first..first + rho.len()]);
            }
            let mut energies = [0.0; BLOCK];
            let mut v_rhos = [0.0; BLOCK];
            let mut v_sigmas = [0.0; BLOCK];
            for i in 0..BLOCK {
                let point = functional.point(rhos[i], sigmas[i]);
                energies[i] = point.energy;
                v_rhos[i] = point.v_rho;
                v_sigmas[i] = point.v_sigma;
            }
            for i in 0..rho.len() {
                let point = XcPoint {
                    energy: energies[i],
                    v_rho: v_rhos[i],
                    v_sigma: v_sigmas[i],
                };
                (self.visit)(first + i, point);
            }
            first += rho.len();
        }
    }
}
