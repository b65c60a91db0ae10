"""The FastAPI application of the Python rows: a JSON body, validated on the way in and on the way out."""

from fastapi import FastAPI
from pydantic import BaseModel, Field

app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)


class Item(BaseModel):
    name: str = Field(min_length=1, max_length=100)
    price: float = Field(gt=0)
    tags: list[str] = []


class Order(BaseModel):
    number: int
    name: str
    total: float
    tags: list[str]


@app.post("/orders/{number}")
async def order(number: int, item: Item, count: int = 1) -> Order:
    return Order(number=number, name=item.name, total=item.price * count, tags=item.tags)
