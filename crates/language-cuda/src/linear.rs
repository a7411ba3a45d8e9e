//! Groups of linear maps with their low-rank additions, forward and backward (see the plan).

use crate::{
    CudaError, Part, Trainer,
    blas::{Held, Layout, View},
    device::arguments,
    kernels::Kernel,
    plan::Slot,
};

impl Trainer {
    /// Unpacks the weights of a layer and puts its additions beside them.
    pub(crate) fn unpack_layer(&self, layer: usize) -> Result<(), CudaError> {
        self.device.part(Part::Unpack)?;
        for (group, (frozen, unpacked)) in self.plan.groups.iter().zip(
            self.weights.layers[layer]
                .groups
                .iter()
                .zip(&self.buffers.unpacked),
        ) {
            frozen.unpack(&self.device, unpacked, group.input_leading())?;
            for slot in &group.slots {
                let (a, b, grid) = self.places(layer, slot, group.inputs);
                let arguments = arguments![
                    self.buffers.trained.at(a),
                    self.buffers.trained.at(b),
                    unpacked,
                    group.input_leading(),
                    group.inputs,
                    slot.outputs,
                    self.plan.rank,
                    slot.first_output,
                    group.outputs,
                    slot.column,
                ];
                self.device
                    .launch(Kernel::PackLowRank, grid, 256, 0, arguments)?;
            }
        }
        Ok(())
    }

    /// Where A and B of a map are, and the grid that reaches all their numbers.
    fn places(&self, layer: usize, slot: &Slot, inputs: usize) -> (usize, usize, (usize, usize)) {
        let first = layer * self.plan.layer_numbers;
        let count = self.plan.rank * (inputs + slot.outputs);
        (first + slot.a, first + slot.b, (count.div_ceil(256), 1))
    }

    /// The inputs of a group.
    pub(crate) fn input(&self, index: usize) -> View {
        View {
            at: self.buffers.inputs[index].at(0),
            leading: self.plan.groups[index].input_leading(),
        }
    }

    /// `s x Aᵀ`, which lies behind the inputs of each row.
    fn low_rank_input(&self, index: usize) -> View {
        View {
            at: self.buffers.inputs[index].at(self.plan.groups[index].inputs),
            ..self.input(index)
        }
    }

    /// A buffer of the group's unpacked matrix from number `first` on.
    fn unpacked(&self, index: usize, first: usize) -> View {
        View {
            at: self.buffers.unpacked[index].at(first),
            leading: self.plan.groups[index].input_leading(),
        }
    }

    /// `y = [x │ s x Aᵀ] [W │ B]ᵀ` for `t` rows; without `y` only `s x Aᵀ`, which the way back needs.
    pub(crate) fn group_forward(
        &self,
        index: usize,
        t: usize,
        y: Option<View>,
    ) -> Result<(), CudaError> {
        let (group, x) = (&self.plan.groups[index], self.input(index));
        if group.ranks > 0 {
            self.device.part(Part::LowRank)?;
            let a = self.unpacked(index, group.outputs * group.input_leading());
            let sizes = (t, group.inputs, group.ranks);
            let to = (self.low_rank_input(index), Held::Element);
            self.device
                .product(Layout::AbT, sizes, self.plan.scale, (x, a), to)?;
        }
        let Some(y) = y else {
            return Ok(());
        };
        self.device.part(Part::Products)?;
        let sizes = (t, group.inputs + group.ranks, group.outputs);
        let weights = self.unpacked(index, 0);
        self.device
            .product(Layout::AbT, sizes, 1.0, (x, weights), (y, Held::Element))
    }

    /// Of the gradient g of the outputs, which starts at `gradient` and has room for `s g B` behind each
    /// row: adds those of A and B, and writes `dx = [g │ s g B] [W ; A]` where it is wanted.
    pub(crate) fn group_backward(
        &self,
        (layer, index): (usize, usize),
        t: usize,
        gradient: View,
        dx: Option<View>,
    ) -> Result<(), CudaError> {
        let group = &self.plan.groups[index];
        let (outputs, inputs, ranks) = (group.outputs, group.inputs, group.ranks);
        if ranks > 0 {
            self.device.part(Part::LowRank)?;
            let element = self.device.precision().bytes();
            let behind = View {
                at: gradient.at + (outputs * element) as u64,
                ..gradient
            };
            let b = self.unpacked(index, inputs);
            let sizes = (t, outputs, ranks);
            let to = (behind, Held::Element);
            self.device
                .product(Layout::Ab, sizes, self.plan.scale, (gradient, b), to)?;
            let (group_a, group_b) = (&self.buffers.group_a, &self.buffers.group_b);
            let to = |memory: &crate::memory::Memory, leading| {
                (
                    View {
                        at: memory.at(0),
                        leading,
                    },
                    Held::F32,
                )
            };
            let factors = (behind, self.input(index));
            self.device.product(
                Layout::AtB,
                (ranks, t, inputs),
                1.0,
                factors,
                to(group_a, inputs),
            )?;
            let factors = (gradient, self.low_rank_input(index));
            self.device.product(
                Layout::AtB,
                (outputs, t, ranks),
                1.0,
                factors,
                to(group_b, ranks),
            )?;
            for slot in &group.slots {
                let (a, b, grid) = self.places(layer, slot, inputs);
                let arguments = arguments![
                    group_a,
                    group_b,
                    self.buffers.trained_gradient.at(a),
                    self.buffers.trained_gradient.at(b),
                    inputs,
                    slot.outputs,
                    self.plan.rank,
                    slot.first_output,
                    slot.column,
                    ranks,
                ];
                self.device
                    .launch(Kernel::UnpackLowRank, grid, 256, 0, arguments)?;
            }
        }
        let Some(dx) = dx else {
            return Ok(());
        };
        self.device.part(Part::Products)?;
        let weights = self.unpacked(index, 0);
        let sizes = (t, outputs + ranks, inputs);
        self.device.product(
            Layout::Ab,
            sizes,
            1.0,
            (gradient, weights),
            (dx, Held::Element),
        )
    }
}
