"""Other people's kernels on the same shapes: verified, then timed in graphs over rotating weights as ours are.

torch_kernels   what PyTorch brings: FP16, INT8, FP8, INT4
marlin          W4A16 of Frantar et al., where a bundle holds it compiled
gemlite         W4A16 in Triton, where it is installed
"""
