"""
How far an output sees
======================

Stacked 3×3 layers see 3, 5, 7 … pixels; dilations that double see 3, 7, 15, 31 with as many weights.
"""

from convkit import shapes, viz

stacks = {
    "3×3": [(3, 1)] * 6,
    "3×3, every second with stride 2": [(3, 1), (3, 2)] * 3,
    "3×3, dilation 1, 2, 4, …": [(3, 1, 2**i) for i in range(6)],
}
figure = viz.figure(5.3, 3.6)
ax = figure.subplots()
reached = []
for (name, layers), (colour, mark) in zip(
    stacks.items(), [("#0072b2", "o"), ("#b57a00", "s"), ("#009e73", "^")], strict=True
):
    sizes = [shapes.receptive_field(layers[:n]).size for n in range(7)]
    ax.plot(range(7), sizes, marker=mark, color=colour, lw=2, label=name)
    reached.append(sizes[-1])
    ax.annotate(f"{sizes[-1]}", (6, sizes[-1]), (6, 0), textcoords="offset points", va="center", fontsize=10)
ax.set_xlabel("layers")
ax.set_ylabel("pixels that an output sees")
ax.set_yscale("log", base=2)
ax.legend(frameon=False)
ax.grid(color="#dde2ea", lw=0.5)
ax.set_xlim(-0.3, 6.5)
figure.set_label(f"Pixels that three stacks see, against their depth: {reached} after six layers")
figure
