"""
A network as a table and as boxes
=================================

``nn.summary`` counts; ``viz.shape_trace`` draws the same layers.
"""

from convkit import nn, viz

model = nn.Sequential(
    nn.Conv2d(3, 16, 3, stride=2, padding=1),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(32, 10),
)
print(nn.summary(model, (3, 64, 64)))
figure = viz.shape_trace(model, (3, 64, 64))
figure
