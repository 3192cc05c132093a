"""
What blocks cost
================

Multiply-adds and weights of one layer, 64 to 128 channels on a 56×56 map, built in eight ways, as
``nn.summary`` counts them.
"""

from convkit import nn, viz

blocks = {
    "standard 5×5": nn.Conv2d(64, 128, 5, padding=2, bias=False),
    "standard 3×3": nn.Conv2d(64, 128, 3, padding=1, bias=False),
    "3×3, dilation 2": nn.Conv2d(64, 128, 3, padding=2, dilation=2, bias=False),
    "transposed 2×2, stride 2": nn.ConvTranspose2d(64, 128, 2, stride=2, bias=False),
    "grouped 3×3, 4 groups": nn.Conv2d(64, 128, 3, padding=1, groups=4, bias=False),
    "bottleneck 1×1, 3×3, 1×1": nn.Sequential(
        nn.Conv2d(64, 32, 1, bias=False),
        nn.Conv2d(32, 32, 3, padding=1, bias=False),
        nn.Conv2d(32, 128, 1, bias=False),
    ),
    "depthwise 3×3, then 1×1": nn.Sequential(
        nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False), nn.Conv2d(64, 128, 1, bias=False)
    ),
    "pointwise 1×1": nn.Conv2d(64, 128, 1, bias=False),
}
counted = {name: nn.summary(block, (64, 56, 56)) for name, block in blocks.items()}
millions = [table.macs / 1e6 for table in counted.values()]
notes = []
for table in counted.values():
    *_, last = table.rows
    field = last.receptive_field
    reach = f"sees {field[0]}×{field[1]}" if field else f"gives {last.output_shape[2]}×{last.output_shape[3]}"
    notes.append(f"{table.parameters:,} weights, {reach}")
figure = viz.figure(8, 3.8)
ax = figure.subplots()
bars = ax.barh(list(blocks), millions, color="#0072b2")
ax.bar_label(bars, notes, padding=4, fontsize=8.5)
ax.invert_yaxis()
ax.set_xlim(0, 1.42 * max(millions))
ax.set_xlabel("million multiply-adds")
told = zip(blocks, millions, notes, strict=True)
figure.set_label(
    "Bars: " + "; ".join(f"{name} {macs:.0f} million multiply-adds, {note}" for name, macs, note in told)
)
figure

# %%
# A dilated kernel sees as far as the large one, for the price of the small one. A transposed one makes four
# pixels of each: it costs what a 2×2 layer costs at the size that it came from.
apart = viz.figure(8, 3.1)
left, right = apart.subplots(1, 2)
viz.conv_geometry(7, kernel=3, padding=2, dilation=2, step=(3, 3), ax=left)
viz.conv_geometry(4, kernel=2, stride=2, transposed=True, step=(3, 3), ax=right)
apart

# %%
# Depthwise kernels work on each channel alone, a 1×1 layer mixes them.
trace = viz.shape_trace("conv(64, 3, padding=1, groups=64) | conv(128, 1) | relu", (64, 56, 56))
trace
