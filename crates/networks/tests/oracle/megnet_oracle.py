"""Outputs and gradients of MEGNet by PyTorch in f64.

usage: megnet_oracle.py CASE.json WEIGHTS.safetensors OUT.json

The case holds a configuration, graphs, states and the weights w of the loss sum(w * outputs). The
gradient of each tensor is summed up by its norm and its projections on cos and sin of 0.37 (i + 1),
so that the result stays small and any wrong entry shows.
"""

import json
import sys

import torch

from megnet_torch import Megnet, load_safetensors, make_batch


def main():
    case_path, weights_path, out_path = sys.argv[1:]
    with open(case_path) as file:
        case = json.load(file)
    torch.set_num_threads(1)
    model = Megnet(case["config"]).double()
    model.load_state_dict(load_safetensors(weights_path, torch.float64), strict=True)
    batch = make_batch(case["config"], case["graphs"], case["states"], torch.float64)
    outputs = model(batch)
    weights = torch.tensor(case["loss_weights"], dtype=torch.float64).reshape(outputs.shape)
    (weights * outputs).sum().backward()
    gradients = {}
    for name, parameter in model.named_parameters():
        gradient = parameter.grad.flatten()
        phase = 0.37 * torch.arange(1, len(gradient) + 1, dtype=torch.float64)
        gradients[name] = [
            gradient.norm().item(),
            (gradient * phase.cos()).sum().item(),
            (gradient * phase.sin()).sum().item(),
        ]
    with open(out_path, "w") as file:
        result = {
            "made_by": f"megnet_oracle.py, PyTorch {torch.__version__}",
            "outputs": outputs.flatten().tolist(),
            "gradients": gradients,
        }
        json.dump(result, file, indent=1)
        file.write("\n")


main()
